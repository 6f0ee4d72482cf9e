"""From records to staged rows: nothing is lost on the way, and repeats are judged against what is loaded."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.columns import BIGINT, STRING, TIMESTAMP, Column
from headrace.core.documents import (
    Identity,
    LoaderDocument,
    LoaderTopic,
    SnowflakeConnection,
    Table,
    TableColumn,
    Transform,
)
from headrace_apps.loader.batches import Batch, BatchBuilder, Repeats
from headrace_apps.loader.layout import Layout, plan_layout
from headrace_apps.loader.poison import SINGLE_REFUSALS, EveryRowRefusedError, find_refused
from headrace_apps.loader.session import DataRefusedError
from headrace_apps.runtime.progress import Span
from headrace_apps.runtime.records import Record

NOW = 1_800_000_000_000
FIELDS = (
    Column(name="id", type=STRING, required=True),
    Column(name="k", type=STRING),
    Column(name="n", type=BIGINT),
    Column(name="at", type=TIMESTAMP),
)


def document(compacted: bool = False, **changes: Any) -> LoaderDocument:
    columns = tuple(TableColumn(name=f.name.upper(), field=f.name, type=f.type) for f in FIELDS)
    defaults: dict[str, Any] = {
        "pipeline": "p",
        "sink": "s",
        "kafka": {},
        "group_id": "p.s",
        "dead_letter_topic": "p.dead-letters",
        "topic": LoaderTopic(name="t", kafka_topic="p.t", compacted=compacted, key_fields=("k",)),
        "table": Table(database="DB", schema_="RAW", name="T"),
        "columns": columns,
        "fields": FIELDS,
        "id": None if compacted else Identity(field="id", window_ms=1000),
        "event_time_field": "at",
        "snowflake": SnowflakeConnection(account="a", user="u"),
    }
    return LoaderDocument(**{**defaults, **changes})


def record(offset: int, value: Any, key: bytes | None = b"k", partition: int = 0, timestamp: int = 5) -> Record:
    raw = value if value is None or isinstance(value, bytes) else json.dumps(value).encode()
    return Record(partition, offset, key, raw, None, timestamp)


def build(doc: LoaderDocument, *records: Record) -> tuple[Layout, Batch]:
    layout = plan_layout(doc)
    return layout, BatchBuilder(doc, layout).build(records, {0: Span(0, len(records))}, NOW)


def staged(layout: Layout, batch: Batch) -> list[dict[str, Any]]:
    names = [column.name for column in layout.staging]
    return [dict(zip(names, row, strict=True)) for row in batch.rows]


def test_a_row_carries_where_and_when_it_comes_from() -> None:
    layout, batch = build(document(), record(7, {"id": "a", "at": "1970-01-01T00:00:01Z", "n": 1}))
    assert staged(layout, batch) == [
        {
            "ID": "a", "K": None, "N": 1, "AT": 1000,
            "_TOPIC": "p.t", "_PARTITION": 0, "_OFFSET": 7, "_EVENT_TIME": 1000, "_LOADED_AT": NOW,
            "_ROW": 0, "_FOLDED": 1, "_TOMBSTONE": False,
        }
    ]  # fmt: skip


@pytest.mark.parametrize(("timestamp", "event_time"), [(5, 5), (-(10**17), NOW)])
def test_without_an_event_time_the_records_own_counts(timestamp: int, event_time: int) -> None:
    layout, batch = build(document(), record(0, {"id": "a"}, timestamp=timestamp))
    assert staged(layout, batch)[0]["_EVENT_TIME"] == event_time


def test_of_one_key_the_last_record_stands_for_all() -> None:
    layout, batch = build(
        document(compacted=True),
        record(0, {"id": "1", "k": "a"}),
        record(1, {"id": "2", "k": "b"}),
        record(2, {"id": "3", "k": "a"}),
        record(3, None, key=b"b"),
        record(4, None, key=b"c"),
    )
    rows = [(r["K"], r["ID"], r["_OFFSET"], r["_FOLDED"], r["_TOMBSTONE"]) for r in staged(layout, batch)]
    assert rows == [("a", "3", 2, 2, False), ("b", None, 3, 2, True), ("c", None, 4, 1, True)]
    assert [origin.offset for origin in batch.origins] == [2, 3, 4]


def test_a_tombstone_of_a_composite_key_finds_its_row() -> None:
    topic = LoaderTopic(name="t", kafka_topic="p.t", compacted=True, key_fields=("k", "at"))
    doc = document(compacted=True, topic=topic)
    layout, batch = build(
        doc,
        record(0, {"id": "1", "k": "a", "at": "1970-01-01T00:00:01Z"}),
        record(1, None, key=b'{"k":"a","at":"1970-01-01T00:00:01Z"}'),
        record(2, None, key=b"a"),
    )
    assert [(r["K"], r["AT"], r["_FOLDED"], r["_TOMBSTONE"]) for r in staged(layout, batch)] == [("a", 1000, 2, True)]
    assert [letter.record.offset for letter in batch.dead_letters] == [2]
    assert batch.dead_letters[0].refused.error.startswith("the key of a tombstone: the value is not JSON")


def test_what_cannot_be_a_row_becomes_a_dead_letter() -> None:
    _, batch = build(document(), record(0, None), record(1, b"x"), record(2, {"id": "a"}))
    assert [letter.record.offset for letter in batch.dead_letters] == [0, 1]
    assert batch.dead_letters[0].refused.error == "the value is null, and the topic is not compacted"
    _, batch = build(document(compacted=True), record(0, {"id": "a"}))
    assert batch.dead_letters[0].refused.error == "key field k is null or missing"


values = (
    st.none() | st.binary(max_size=5) | st.fixed_dictionaries({"id": st.text(max_size=2), "k": st.text(max_size=1)})
)


@given(st.booleans(), st.lists(values, max_size=20))
def test_every_record_is_in_a_row_or_a_dead_letter(compacted: bool, sent: list[Any]) -> None:
    records = [record(offset, value) for offset, value in enumerate(sent)]
    layout, batch = build(document(compacted=compacted), *records)
    assert batch.read == len(sent)
    assert sum(row["_FOLDED"] for row in staged(layout, batch)) + len(batch.dead_letters) == len(sent)


def rows_of(layout: Layout, *ids_and_times: tuple[str | None, int]) -> list[tuple[Any, ...]]:
    names = [column.name for column in layout.staging]
    blank = dict.fromkeys(names)
    return [
        tuple({**blank, "ID": identity, "_EVENT_TIME": time, "_ROW": row}.values())
        for row, (identity, time) in enumerate(ids_and_times)
    ]


def test_the_first_of_equal_ids_wins_within_the_window() -> None:
    layout = plan_layout(document())
    rows = rows_of(layout, ("a", 0), ("b", 0), ("a", 1000), ("a", 1001), ("a", 1500), (None, 0), (None, 0))
    assert Repeats(layout, 1000).find(rows, frozenset()) == {2, 4}


def test_a_row_that_is_itself_left_out_leaves_nobody_out() -> None:
    layout = plan_layout(document())
    # Row 0 repeats one that the table has from 900 ms before; row 1 is beyond that one's window, not beyond row 0's.
    assert Repeats(layout, 1000).find(rows_of(layout, ("a", 0), ("a", 500)), {0}) == {0}


def test_a_table_that_could_not_tell_rows_apart_is_refused() -> None:
    masked = TableColumn(name="ID", field="id", type=STRING, transform=Transform(kind="mask"))
    with pytest.raises(ValueError, match="no column holds field 'id' or its hash"):
        plan_layout(document(columns=(masked,)))
    own = TableColumn(name="_OFFSET", field="id", type=STRING)
    with pytest.raises(ValueError, match="columns _OFFSET: these names are the loader's own"):
        plan_layout(document(columns=(own,)))


def refusing(bad: set[int]) -> Any:
    def attempt(part: Batch) -> DataRefusedError | None:
        offsets = {origin.offset for origin in part.origins} & bad
        return DataRefusedError(f"cannot take {min(offsets)}") if offsets else None

    return attempt


@given(st.sets(st.integers(0, 59), min_size=1, max_size=15))
def test_bisection_finds_exactly_the_refused_rows(bad: set[int]) -> None:
    _, batch = build(document(), *(record(n, {"id": str(n)}) for n in range(60)))
    found = find_refused(batch, DataRefusedError("no"), refusing(bad))
    assert set(found) == bad
    rest = batch.without(found)
    assert {letter.record.offset for letter in rest.dead_letters} == bad
    assert {origin.offset for origin in rest.origins} == set(range(60)) - bad


def test_a_table_that_takes_no_row_stops_the_sink_and_dead_letters_nothing() -> None:
    _, batch = build(document(), *(record(n, {"id": str(n)}) for n in range(SINGLE_REFUSALS)))
    with pytest.raises(EveryRowRefusedError, match="refused each of 20 rows"):
        find_refused(batch, DataRefusedError("no"), refusing(set(range(60))))


def test_rows_that_are_refused_only_together_are_not_bisected_for_ever() -> None:
    _, batch = build(document(), *(record(n, {"id": str(n)}) for n in range(4)))
    with pytest.raises(EveryRowRefusedError, match="together, but takes either half"):
        find_refused(batch, DataRefusedError("no"), lambda _: None)


def test_a_batch_without_rows_that_fails_stops_the_sink() -> None:
    _, batch = build(document())
    with pytest.raises(EveryRowRefusedError, match=r"only moves the stored offsets on, .*: failed 3 times"):
        find_refused(batch, DataRefusedError("failed 3 times"), lambda _: DataRefusedError("again"))
