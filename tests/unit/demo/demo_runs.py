"""Small runs of each sample in which everything went right: what was sent, and what each place would hold."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, cast

from headrace_apps.demo.check.compare import key_of
from headrace_apps.demo.check.expectation import Expectation, Key, Row, accepted_of
from headrace_apps.demo.check.observed import Observed, Record
from headrace_apps.demo.check.values import plain
from headrace_apps.demo.external import MARK
from headrace_apps.demo.ledger import Answer, Entry, Kind, Outcome, Route, Sent
from headrace_apps.demo.sample import DEAD_LETTERS, Manifest, Sample, manifest_path, read_manifest
from headrace_apps.demo.stream import EventStream, Mix
from headrace_apps.demo.wire import Wire

REPOSITORY = Path(__file__).parents[3]
STARTED = 1_780_000_003_000
LOADED_AT = datetime(2026, 11, 22, 19, 1, tzinfo=UTC)


class Framed:
    """Stands for `Wire` where no registry is: JSON behind a header of five bytes."""

    def encode(self, topic: str, event: Mapping[str, Any]) -> bytes:
        return b"\x00\x00\x00\x00\x01" + json.dumps(event).encode()

    def schema_id(self, topic: str) -> int:
        return len(topic)


FRAMED = cast("Wire", Framed())


@dataclass(frozen=True)
class Run:
    """A sample's ledger, and what a faultless pipeline leaves of it."""

    sample: Sample
    manifest: Manifest
    ledger: list[Entry]
    observed: Observed
    expected: Expectation


def manifest_of(name: str) -> Manifest:
    return read_manifest(REPOSITORY / manifest_path(name))


def make_run(sample: Sample) -> Run:
    manifest = manifest_of(sample.name)
    ledger, raw = _stored(sample, manifest, _sent(sample))
    expected = sample.expect(accepted_of(ledger))
    return Run(sample, manifest, ledger, _faultless(sample, manifest, expected, raw), expected)


def _sent(sample: Sample) -> list[Sent]:
    """Forty seconds of traffic with every kind of event in it, in order of sending."""
    rng = Random(7)
    stream = EventStream(rng, Mix(duplicates=0.05, invalid=0.02), sample.author(rng))
    sent: list[Sent] = []
    for tick in range(160):
        now = STARTED + tick * 250
        sent += stream.references(now)
        sent += stream.next_batch(now, 3, Route.KAFKA if tick % 5 == 0 else Route.GATEWAY)
    sent += stream.take_held(STARTED + 10**9)
    for name, raw in sample.malformed(rng, FRAMED):
        sent.append(Sent(name, Kind.MALFORMED, sample.events, raw=raw))
    return sent + stream.late_events(STARTED, 6) + stream.closing_events(0, 12)


def _stored(sample: Sample, manifest: Manifest, sent: list[Sent]) -> tuple[list[Entry], list[tuple[Sent, Record]]]:
    ledger: list[Entry] = []
    raw: list[tuple[Sent, Record]] = []
    ends: dict[int, int] = defaultdict(int)
    [key_field] = manifest.topics[sample.events].key_fields
    for one in sent:
        if one.kind is Kind.INVALID:
            ledger.append(Entry(one, Answer(Outcome.REFUSED)))
            continue
        headers = ((MARK, one.id.encode()),) if one.kind is Kind.MALFORMED else (("headrace.accepted", b"1"),)
        key = b"external" if one.event is None else str(one.event.get(key_field)).encode()
        partition = sum(key) % 3
        record = Record(partition, ends[partition], key, one.raw or b"bytes", headers)
        record = record if one.raw != b"" and one.kind is not Kind.MALFORMED else _with_value(record, one.raw)
        ledger.append(Entry(one, Answer(Outcome.ACCEPTED, partition, ends[partition])))
        if one.topic == sample.events:
            raw.append((one, record))
            ends[partition] += 1
    return ledger, raw


def _with_value(record: Record, value: bytes | None) -> Record:
    return Record(record.partition, record.offset, record.key, value, record.headers)


def _faultless(sample: Sample, manifest: Manifest, expected: Expectation, raw: list[tuple[Sent, Record]]) -> Observed:
    topics: dict[str, list[Record]] = {name: [] for name in manifest.topics}
    topics[sample.events] = [_raw(one, record, expected) for one, record in raw]
    topics[DEAD_LETTERS] = list(_letters(manifest.kafka(sample.events), expected, raw))
    for output in expected.outputs:
        fields = manifest.topics[output.topic].key_fields
        records = topics[output.topic]
        records += [_record(row, key_of(row, fields), len(records) + n) for n, row in enumerate(output.wanted.values())]
    for reference in expected.accepted.references:
        topics[reference.topic].append(_record(reference.row, reference.key.encode(), len(topics[reference.topic])))
    return Observed(
        topics=topics,
        tables={table.sink: _table(table.sink, expected, manifest, topics) for table in expected.tables},
        views={view: _view(topics[topic]) for view, topic in manifest.views.items()},
    )


def _raw(one: Sent, record: Record, expected: Expectation) -> Record:
    if one.kind is Kind.MALFORMED:
        return record
    row = dict(expected.stored[one.id])
    if one.id in expected.accepted.by_gateway:
        row |= dict.fromkeys(expected.gateway_sets, STARTED)
    return Record(record.partition, record.offset, record.key, record.value, record.headers, row)


def _record(row: Row | None, key: bytes, offset: int) -> Record:
    return Record(0, offset, key, None if row is None else b"bytes", row=row)


def _letters(topic: str, expected: Expectation, raw: list[tuple[Sent, Record]]) -> list[Record]:
    letters: list[Record] = []
    for about in expected.letters:
        kind = Kind.LATE if about.about == "late" else Kind.MALFORMED
        for _, record in (item for item in raw if item[0].kind is kind):
            envelope = {
                "stage": about.stage,
                "reason": about.reason,
                "error": "why",
                "topic": topic,
                "partition": str(record.partition),
                "offset": str(record.offset),
                "attempt": "1",
                "time": "2026-11-22T19:01:00.000Z",
            }
            headers = tuple((f"headrace.dlq.{name}", value.encode()) for name, value in envelope.items())
            letters.append(Record(0, len(letters), record.key, record.value, record.headers + headers))
    return letters


def _table(sink: str, expected: Expectation, manifest: Manifest, topics: Mapping[str, list[Record]]) -> list[Row]:
    [table] = [table for table in expected.tables if table.sink == sink]
    topic = manifest.topics[manifest.sinks[sink].topic]
    places: dict[Key, Record] = {}
    for record in topics[topic.name]:
        if record.row is not None:
            row = plain(record.row)
            places[tuple(row.get(name) for name in table.source_key)] = record
    return [_columns(row, places[key], topic.time_field, topic.kafka) for key, row in table.wanted.items()]


def _columns(row: Row, record: Record, time_field: str | None, kafka: str) -> dict[str, Any]:
    """As Snowflake's connector has them: times as datetime, a VARIANT as JSON text."""
    columns = {name.upper(): json.dumps(v) if isinstance(v, dict | list) else v for name, v in row.items()}
    at = LOADED_AT
    if time_field:
        at = datetime(1970, 1, 1) + timedelta(milliseconds=plain(row)[time_field])  # noqa: DTZ001 - TIMESTAMP_NTZ
        columns[time_field.upper()] = at
    place = {"_TOPIC": kafka, "_PARTITION": record.partition, "_OFFSET": record.offset}
    return columns | place | {"_EVENT_TIME": at, "_LOADED_AT": LOADED_AT}


def _view(records: list[Record]) -> list[dict[str, Any]]:
    newest = {record.key: record.row for record in records}
    return [dict(row) for row in newest.values() if row is not None]
