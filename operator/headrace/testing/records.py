"""A case's events as the records of its topics, and a topic's records as what a case is compared with.

Values are written and read by the very code that the gateway uses (headrace_apps.records).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from headrace.core import dead_letter
from headrace.core.documents import SchemaRef
from headrace.core.keys import encode_key
from headrace.core.pipeline import Topic
from headrace.testing.cases import Event
from headrace.testing.compare import Letter
from headrace_apps.records.decoder import Decoder, decoder_of
from headrace_apps.records.encoder import encoder_of
from headrace_apps.records.event_json import parse_exactly
from headrace_apps.records.instants import parse_instant
from headrace_apps.records.outcome import Refused, UnfitError
from headrace_apps.records.registry import Registry
from headrace_apps.records.wire import render_prefix

UNREADABLE = "$unreadable"  # in place of a row: why the record is none
# The record's own time where the event has none: fixed, so that a case comes out alike whenever it is run.
FIRST_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z


class UnencodableError(ValueError):
    """An event does not fit its topic's schema; the text says where, and how to send it all the same."""


@dataclass(frozen=True, slots=True)
class Record:
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    time_ms: int = FIRST_MS


@dataclass(frozen=True)
class TopicRecords:
    """One topic's records, in its format. `schema_id` is the registry's, None for JSON."""

    topic: Topic
    schema: SchemaRef | None
    registry: Registry | None
    schema_id: int | None = None

    def records(self, events: Sequence[Event]) -> list[Record]:
        """Raises UnencodableError."""
        return [self._record(event, number) for number, event in enumerate(events)]

    def _record(self, event: Event, number: int) -> Record:
        key = event.key
        if key is None and event.value is not None:
            try:
                key = encode_key(self.topic.key_columns, event.value)
            except KeyError:
                key = None  # a field of the key is missing: the job says what that is
        value = event.raw if event.value is None else self._value(event.value, number)
        time_ms = event.time_ms if event.time_ms is not None else self._time(event.value, number)
        return Record(key, value, event.headers, time_ms)

    def _value(self, value: dict[str, Any], number: int) -> bytes:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        encoder = encoder_of(self.schema, self.topic.schema.columns)
        if encoder is None or self.schema_id is None:
            return text.encode()
        try:
            # Parsed anew, so that digits count as the gateway would have them.
            return render_prefix(self.schema_id) + encoder.encode(parse_exactly(text.encode()))
        except UnfitError as error:
            raise UnencodableError(
                f"event {number + 1} of {self.topic.name} is no {self.topic.schema.format} record: {error.line}; "
                "bytes that are none can be given with $base64"
            ) from error

    def _time(self, value: dict[str, Any] | None, number: int) -> int:
        told = (value or {}).get(self.topic.event_time.field) if self.topic.event_time else None
        try:
            return max(0, told if type(told) is int else parse_instant(str(told)))
        except ValueError:
            return FIRST_MS + number

    def rows(self, records: Iterable[Record]) -> list[Any]:
        """The JSON form of each; of a compacted topic the newest of each key, as a view has it."""
        decoder = decoder_of(self.schema, self.topic.schema.columns, self.registry)
        if not self.topic.compacted:
            return [_form(decoder, record.value) for record in records]
        newest: dict[bytes | None, Record] = {}
        for record in records:
            newest.pop(record.key, None)  # in the order of their newest change
            newest[record.key] = record
        return [_form(decoder, record.value) for record in newest.values() if record.value is not None]


def _form(decoder: Decoder, value: bytes | None) -> Any:
    form = None if value is None else decoder.form(value)
    return {UNREADABLE: form.error} if isinstance(form, Refused) else form


def letter_of(record: Record, topics: dict[str, TopicRecords]) -> Letter:
    """A record of the dead-letter topic; `topics` by Kafka name."""
    headers = {name: value.decode("utf-8", "replace") for name, value in record.headers}
    kafka_name = headers.get(dead_letter.TOPIC, "")
    source = topics.get(kafka_name)
    value: Any = None
    if source is not None and record.value is not None:
        form = _form(decoder_of(source.schema, source.topic.schema.columns, source.registry), record.value)
        value = form if isinstance(form, dict) and UNREADABLE not in form else None
    identity = source.topic.id.field if source is not None and source.topic.id else None
    told = value.get(identity) if identity and value else None
    return Letter(
        headers.get(dead_letter.REASON, ""),
        source.topic.name if source else kafka_name,
        headers.get(dead_letter.STAGE, "").removeprefix("job/"),
        headers.get(dead_letter.ERROR, ""),
        record.value,
        value,
        None if told is None else str(told),
    )


def needs_registry(topics: Iterable[Topic]) -> bool:
    return any(topic.schema.format != "JSON" for topic in topics)
