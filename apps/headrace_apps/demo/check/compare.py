"""The comparison, one function per place where an event must have arrived. Pure.

A retry may leave one more copy of an event in the raw topic; everywhere behind it an event counts once. What is late
or malformed is decided per record, so its dead letters are compared by the offset of the record they are about.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from headrace_apps.demo.check.dead_letters import compare_dead_letters
from headrace_apps.demo.check.expectation import Expectation, Key, Output, Row, TableRows, accepted_of
from headrace_apps.demo.check.observed import Observed, Record
from headrace_apps.demo.check.result import Result, compare_each
from headrace_apps.demo.check.values import plain
from headrace_apps.demo.external import MARK
from headrace_apps.demo.ledger import Entry
from headrace_apps.demo.sample import DEAD_LETTERS, Manifest, Sample

Identified = Sequence[tuple[str, Record]]


def compare(sample: Sample, manifest: Manifest, ledger: Sequence[Entry], observed: Observed) -> list[Result]:
    """Every check, in the order in which an event travels."""
    raw = manifest.topics[sample.events]
    by_identity = [(identity_of(record, raw.id_field or ""), record) for record in observed.topics[sample.events]]
    accepted = accepted_of(ledger, frozenset(identity for identity, _ in by_identity))
    expected = sample.expect(accepted)
    return [
        compare_answers(expected),
        compare_stored(sample.events, raw.key_fields, expected, by_identity),
        compare_malformed(sample.events, expected, by_identity),
        *(compare_references(topic, expected, observed) for topic in _reference_topics(expected)),
        *(compare_output(output, manifest, observed) for output in expected.outputs),
        *compare_dead_letters(manifest.kafka(sample.events), expected, by_identity, observed.topics[DEAD_LETTERS]),
        *(compare_table(table, manifest, observed) for table in expected.tables),
        *(compare_view(view, manifest, observed) for view in manifest.views),
    ]


def identity_of(record: Record, id_field: str) -> str:
    """The event's id; a malformed record's mark; else where the record is."""
    if (mark := record.header(MARK)) is not None:
        return mark
    identity = record.row.get(id_field) if record.row else None
    return identity if isinstance(identity, str) else f"partition {record.partition} offset {record.offset}"


def compare_answers(expected: Expectation) -> Result:
    """Valid events are accepted, invalid ones refused."""
    accepted = expected.accepted
    differences = [f"{i}: valid, but refused" for i in accepted.wrongly_refused]
    differences += [f"{i}: breaks the schema, but accepted" for i in accepted.wrongly_accepted]
    return Result("gateway: valid accepted, invalid refused", accepted.sent, accepted.sent, differences)


def compare_stored(topic: str, key: tuple[str, ...], expected: Expectation, by_identity: Identified) -> Result:
    """Every accepted event is stored at least once, and nothing that was not sent."""
    gateway = expected.accepted.by_gateway
    wanted = {
        i: plain(event)
        | {"(key)": key_of(event, key)}
        | {f"({name} set)": i in gateway for name in expected.gateway_sets}
        for i, event in expected.stored.items()
    }
    found = [
        (i, _stored(record, expected.gateway_sets)) for i, record in by_identity if i not in expected.accepted.malformed
    ]
    return compare_each(f"{topic}: every accepted event, at least once", wanted, found, at_most_once=False)


def _stored(record: Record, gateway_sets: tuple[str, ...]) -> Any:
    """Content and key; bytes that are no event show as they are."""
    if record.row is None:
        return record.value
    row = plain(record.row)
    return row_without(row, gateway_sets) | {"(key)": record.key} | {f"({n} set)": n in row for n in gateway_sets}


def row_without(row: Row, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def key_of(row: Row, fields: tuple[str, ...]) -> bytes:
    """The record's key as docs/reference/contracts.md has it: one text as it is, else a compact JSON object."""
    if len(fields) == 1 and isinstance(row[fields[0]], str):
        return str(row[fields[0]]).encode()
    return json.dumps({name: row[name] for name in fields}, separators=(",", ":"), ensure_ascii=False).encode()


def compare_malformed(topic: str, expected: Expectation, by_identity: Identified) -> Result:
    """What the external producer wrote is stored exactly once, byte for byte."""
    found = [(identity, record.value) for identity, record in by_identity if record.header(MARK) is not None]
    return compare_each(f"{topic}: malformed bytes of the outside producer", expected.accepted.malformed, found)


def _reference_topics(expected: Expectation) -> list[str]:
    return sorted({reference.topic for reference in expected.accepted.references})


def compare_references(topic: str, expected: Expectation, observed: Observed) -> Result:
    """The newest record of each key of a compacted topic."""
    newest = {r.key: r.row and plain(r.row) for r in expected.accepted.references if r.topic == topic}
    found = {record.key: record.row and plain(record.row) for record in observed.topics[topic]}
    by_key = [((key or b"").decode(errors="replace"), row) for key, row in found.items()]
    return compare_each(f"{topic}: the newest record of each key", newest, by_key)


def compare_output(output: Output, manifest: Manifest, observed: Observed) -> Result:
    """Every row exactly once, with its record's key."""
    key_fields = manifest.topics[output.topic].key_fields
    found: list[tuple[Key, Any]] = []
    for record in observed.topics[output.topic]:
        row = record.row
        if row is None or any(row.get(name) is None for name in (*output.key, *key_fields)):
            found.append(((f"partition {record.partition}", record.offset), record.value))
        elif output.mine(row) and not output.ignored(row):
            values = plain(row)
            right = _same_key(record.key, row, key_fields)
            found.append(
                (tuple(values[n] for n in output.key), values if right else f"a record with key {record.key!r}")
            )
    return compare_each(f"{output.topic}: {output.title}, exactly once", output.wanted, found)


def _same_key(key: bytes | None, row: Row, fields: tuple[str, ...]) -> bool:
    if len(fields) == 1 and isinstance(row[fields[0]], str):
        return key == str(row[fields[0]]).encode()
    try:
        return bool(plain(json.loads(key or b"")) == plain({name: row[name] for name in fields}))
    except (ValueError, AttributeError):
        return False


def compare_table(table: TableRows, manifest: Manifest, observed: Observed) -> Result:
    """Every row once, with its values, and the place of one of its records."""
    sink = manifest.sinks[table.sink]
    source = manifest.topics[sink.topic]
    places: dict[Key, set[tuple[int, int]]] = {}
    for record, row in _rows(observed.topics[sink.topic]):
        key = tuple(row.get(name) for name in table.source_key)
        places.setdefault(key, set()).add((record.partition, record.offset))
    extra = {"(topic)": source.kafka, "(its record)": True, "(loaded)": True}
    wanted = {key: _row_of(row, source.time_field) | extra for key, row in table.wanted.items()}
    found = []
    for columns in observed.tables[table.sink]:
        values = plain({name.lower(): value for name, value in columns.items()})
        key = tuple(values.get(name) for name in table.key)
        if table.ignored(values):
            continue
        own = {name: value for name, value in values.items() if not name.startswith("_")}
        own |= {
            "(topic)": values.get("_topic"),
            **({"(event time)": values.get("_event_time")} if source.time_field else {}),
            "(its record)": (values.get("_partition"), values.get("_offset")) in places.get(key, ()),
            "(loaded)": "_loaded_at" in values,
        }
        found.append((key, own))
    return compare_each(f"table {sink.table}: every row, exactly once", wanted, found)


def _row_of(row: Row, time_field: str | None) -> dict[str, Any]:
    """What the table must have; without an event time the loader's column is the record's timestamp."""
    return plain(row) | ({"(event time)": plain(row).get(time_field)} if time_field else {})


def _rows(records: Sequence[Record]) -> Iterator[tuple[Record, dict[str, Any]]]:
    return ((record, plain(record.row)) for record in records if record.row is not None)


def compare_view(view: str, manifest: Manifest, observed: Observed) -> Result:
    """The API's view answers with each key's newest value in the topic."""
    topic = manifest.topics[manifest.views[view]]
    newest: dict[bytes | None, Row | None] = {record.key: record.row for record in observed.topics[topic.name]}

    def identify(row: Row) -> Key:
        return tuple(row.get(name) for name in topic.key_fields)

    wanted = {identify(values): values for row in newest.values() if row is not None for values in [plain(row)]}
    found = [(identify(values), values) for values in map(plain, observed.views[view])]
    return compare_each(f"view {view}: agrees with the topic", wanted, found)
