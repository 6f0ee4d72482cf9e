"""One event against its topic: JSON, enrichment, the schema, the row, the key. The decision to accept is made here.

Compiled once per topic. `judge` is pure (but for lookups): bytes in, an accepted event or the reasons against it out.
An event of a JSON topic is stored as it came, unless it is enriched; Avro and Protobuf take it in the JSON form.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any, NamedTuple, Protocol

import jsonschema_rs

from headrace.core.columns import Kind
from headrace.core.dead_letter import Reason
from headrace.core.documents import GatewayTopic
from headrace.core.keys import encode_key
from headrace_apps.gateway.enrichment import Enricher, Moment, splice
from headrace_apps.gateway.limits import Limits
from headrace_apps.gateway.problems import pointer
from headrace_apps.records.encoder import encoder_of
from headrace_apps.records.event_json import NotAnEvent, parse_event, parse_exactly, parse_slowly
from headrace_apps.records.json_check import RowCheck, canonical_timestamp
from headrace_apps.records.outcome import UnfitError

MAX_MESSAGE_CHARS = 300


@dataclass(frozen=True, slots=True)
class EventError:
    """One reason against an event: a JSON pointer into it and a sentence."""

    pointer: str
    message: str

    def as_json(self) -> dict[str, str]:
        return {"pointer": self.pointer, "message": self.message}


class Accepted(NamedTuple):
    """To be stored under this key: the event's own bytes, or its payload behind the registry's prefix."""

    raw: bytes
    key: bytes | None


@dataclass(frozen=True, slots=True)
class Refused:
    raw: bytes
    reason: Reason
    errors: tuple[EventError, ...]

    @property
    def text(self) -> str:
        """All reasons in one line."""
        return "; ".join(f"{e.pointer}: {e.message}" if e.pointer else e.message for e in self.errors)


class SchemaUnusable(ValueError):  # noqa: N818
    """The topic's schema cannot be compiled: the document is wrong, the gateway does not start."""


class Judge(Protocol):
    def judge(self, raw: bytes, moment: Moment | None = None) -> Accepted | Refused:
        """Accept the event or say everything that is wrong with it (at most `max_errors` reasons). `moment` is for
        topics that are enriched, whose lookups may raise RegistryAwayError."""


def judge_of(topic: GatewayTopic, limits: Limits, enricher: Enricher | None = None) -> Judge:
    """Raises SchemaUnusable."""
    json = topic.schema_ is None or topic.schema_.format == "JSON"
    return EventJudge(topic, limits, enricher) if json else EncodingJudge(topic, limits, enricher)


def needed_fields(topic: GatewayTopic) -> tuple[str, ...]:
    """What the topic relies on in every event, whatever its schema can say."""
    names = [*topic.key_fields, topic.id_field, topic.event_time_field]
    return tuple(dict.fromkeys(name for name in names if name is not None))


class Keys:
    """The keys of a topic's events. Raises SchemaUnusable for a key field that is no column."""

    def __init__(self, topic: GatewayTopic) -> None:
        columns = {c.name: c for c in topic.columns}
        missing = [name for name in topic.key_fields if name not in columns]
        if missing:
            raise SchemaUnusable(f"topic {topic.name}: key field {missing[0]} is not among its columns")
        self.columns = tuple(columns[name] for name in topic.key_fields)
        self._timestamps = tuple(c.name for c in self.columns if c.type.kind in (Kind.TIMESTAMP, Kind.EPOCH_MILLIS))

    def missing_in(self, event: dict[str, Any]) -> EventError | None:
        for column in self.columns:
            if event.get(column.name) is None:
                return EventError(pointer([column.name]), "is part of the key and may not be missing or null")
        return None

    def of(self, event: dict[str, Any]) -> bytes | None:
        """Of an event that fits; changes its times."""
        for name in self._timestamps:
            # Two spellings of one moment are one key, the one that Flink would write.
            event[name] = canonical_timestamp(event[name])
        return encode_key(self.columns, event)


class EventJudge:
    """Decides about events of one JSON topic. Raises SchemaUnusable when the topic's schema is none."""

    def __init__(self, topic: GatewayTopic, limits: Limits, enricher: Enricher | None = None) -> None:
        self._limits = limits
        self._enricher = enricher
        self._schema = _compile(topic) if topic.schema_ is not None else None
        self._row = RowCheck(topic.columns)
        self._keys = Keys(topic)

    def judge(  # noqa: PLR0911 - a reason each
        self, raw: bytes, moment: Moment | None = None
    ) -> Accepted | Refused:
        if len(raw) > self._limits.max_event:
            return _malformed(raw, _too_large(len(raw), self._limits))
        try:
            event = parse_event(raw, self._limits.max_depth)
        except NotAnEvent as exc:
            return _malformed(raw, str(exc))
        changed = self._enricher.enrich(event, moment) if self._enricher is not None and moment is not None else None
        valid = self._schema is None or self._schema.is_valid(event)
        if not valid or not self._row.fits(event):
            # A whole number may be written 1.0 or 1e3. The fast parse has rounded such a one; the slow one has not.
            event = {**parse_slowly(raw), **(changed or {})}
            if not valid or not self._row.fits(event):
                return Refused(raw, Reason.SCHEMA_INVALID, tuple(self._errors(event)))
        if (error := self._keys.missing_in(event)) is not None:
            return Refused(raw, Reason.SCHEMA_INVALID, (error,))
        if not changed:
            return Accepted(raw, self._keys.of(event))
        enriched = splice(raw, changed)
        if len(enriched) > self._limits.max_event:
            return _malformed(raw, _too_large(len(enriched), self._limits))
        return Accepted(enriched, self._keys.of(event))

    def _errors(self, event: dict[str, Any]) -> list[EventError]:
        """The schema's reasons; the row's only when the schema has none, as they would say the same again."""
        errors = self._schema.iter_errors(event) if self._schema is not None else iter(())
        reasons = [
            EventError(pointer(error.instance_path), _shorten(error.message))
            for error in islice(errors, self._limits.max_errors)
        ]
        if not reasons:
            faults = islice(self._row.faults(event), self._limits.max_errors)
            reasons = [EventError(pointer(path), message) for path, message in faults]
        return reasons


class EncodingJudge:
    """Decides about events of one Avro or Protobuf topic, which come in the JSON form. Raises SchemaUnusable."""

    def __init__(self, topic: GatewayTopic, limits: Limits, enricher: Enricher | None = None) -> None:
        self._limits = limits
        self._enricher = enricher
        try:
            encoder = encoder_of(topic.schema_, topic.columns, needed_fields(topic))
        except ValueError as exc:
            raise SchemaUnusable(f"topic {topic.name}: its schema cannot be used: {exc}") from exc
        assert encoder is not None  # noqa: S101 - not for JSON
        self._encoder = encoder
        self._keys = Keys(topic)
        properties = encoder.form_schema["properties"]
        # Where the JSON form has one spelling only, the event's own is the reader's.
        self._plain = all(
            column.type.kind in (Kind.STRING, Kind.TIMESTAMP) and properties[column.name] in _ONE_SPELLING
            for column in self._keys.columns
        )

    def judge(self, raw: bytes, moment: Moment | None = None) -> Accepted | Refused:
        if len(raw) > self._limits.max_event:
            return _malformed(raw, _too_large(len(raw), self._limits))
        try:
            event = parse_event(raw, self._limits.max_depth)
            changed = self._enricher.enrich(event, moment) if self._enricher is not None and moment is not None else {}
            try:
                payload = self._encoder.encode(event)
            except UnfitError:
                # What the fast parse has rounded may fit after all.
                event = {**parse_exactly(raw), **{name: _exact(value) for name, value in changed.items()}}
                payload = self._encoder.encode(event)
        except NotAnEvent as exc:
            return _malformed(raw, str(exc))
        except UnfitError as exc:
            faults = list(islice(self._encoder.faults(event), self._limits.max_errors)) or [exc]
            errors = tuple(EventError(pointer(fault.path), _shorten(fault.problem)) for fault in faults)
            return Refused(raw, Reason.SCHEMA_INVALID, errors)
        if len(payload) > self._limits.max_event:
            return _malformed(raw, _too_large(len(payload), self._limits))
        return Accepted(payload, self._keys.of(event if self._plain else self._encoder.form(payload)))


def _exact(value: Any) -> Any:
    """A float of an enrichment has no text that it could be parsed from again."""
    return Decimal(repr(value)) if type(value) is float else value


_ONE_SPELLING = ({"type": "string"}, {"type": "string", "format": "date-time"})


def _too_large(size: int, limits: Limits) -> str:
    return f"has {size} bytes; at most {limits.max_event} fit into a record"


def _malformed(raw: bytes, message: str) -> Refused:
    return Refused(raw, Reason.MALFORMED, (EventError("", _shorten(message)),))


def _shorten(message: str) -> str:
    return message if len(message) <= MAX_MESSAGE_CHARS else message[: MAX_MESSAGE_CHARS - 1] + "…"


def _compile(topic: GatewayTopic) -> jsonschema_rs.Draft202012Validator:
    assert topic.schema_ is not None  # noqa: S101 - the caller looked
    try:
        # Offline: a `$ref` to another place is an error at start, never a request to somewhere.
        return jsonschema_rs.Draft202012Validator(topic.schema_.definition, validate_formats=True, offline=True)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as exc:
        cause = getattr(exc, "message", None) or str(exc)
        raise SchemaUnusable(f"topic {topic.name}: its schema cannot be used: {cause}") from exc
