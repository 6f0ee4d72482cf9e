"""Cursors, view keys and view stores: what goes out comes back."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core.columns import Column, ColumnType, Kind
from headrace.core.keys import encode_key
from headrace_apps.gateway.cursor import CursorInvalid, parse_cursor, render_cursor
from headrace_apps.gateway.views.keys import KeyInvalid, parse_view_key, render_view_key
from headrace_apps.gateway.views.order import KEYS, STRANGE, KeyOrder, behind, place_fields
from headrace_apps.gateway.views.rocks import RocksViewStore
from headrace_apps.gateway.views.store import Change, Entry, Found, StoreError
from headrace_apps.records.json_check import canonical_timestamp

positions = st.dictionaries(st.integers(0, 11), st.integers(0, 2**59), min_size=1)


@given(positions)
def test_a_cursor_is_read_as_it_was_written(where: dict[int, int]) -> None:
    assert parse_cursor(render_cursor(where), 12) == where


@given(st.text(max_size=40))
def test_any_text_is_a_cursor_or_an_error(text: str) -> None:
    with suppress(CursorInvalid):
        assert render_cursor(parse_cursor(text, 3))


def test_a_cursor_of_more_partitions_than_the_topic_has_is_refused() -> None:
    with pytest.raises(CursorInvalid, match="3 partitions"):
        parse_cursor("3-0", 3)


values: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.STRING: st.text(),
    Kind.BIGINT: st.integers(-(2**63), 2**63 - 1),
    Kind.BOOLEAN: st.booleans(),
    Kind.DATE: st.dates().map(str),
    Kind.TIMESTAMP: st.integers(0, 10**12).map(canonical_timestamp),
    Kind.EPOCH_MILLIS: st.integers(0, 10**12).map(canonical_timestamp),
    Kind.BYTES: st.binary(max_size=9).map(lambda raw: b64encode(raw).decode()),
}


@given(st.data(), st.lists(st.sampled_from(list(values)), min_size=1, max_size=4))
def test_every_key_of_a_view_can_be_asked_for(data: st.DataObject, kinds: list[Kind]) -> None:
    columns = tuple(Column(name=f"f{i}", type=ColumnType(kind=kind)) for i, kind in enumerate(kinds))
    fields = {column.name: data.draw(values[column.type.kind]) for column in columns}
    key = encode_key(columns, fields)
    assert key is not None
    path = render_view_key(key, columns)
    assert path is not None
    assert parse_view_key(path, columns) == key


PAGE = Column(name="page", type=ColumnType(kind=Kind.STRING))
SINCE = Column(name="since", type=ColumnType(kind=Kind.TIMESTAMP))
COUNT = Column(name="n", type=ColumnType(kind=Kind.BIGINT))


def test_the_documented_forms_of_a_key() -> None:
    assert parse_view_key("%2Fhome", [PAGE]) == b"/home"
    assert parse_view_key("/a,b/c", [PAGE]) == b"/a,b/c"
    key = b'{"page":"a,b","since":"2026-11-22T19:01:00Z"}'
    assert parse_view_key("a%2Cb,2026-11-22T20%3A01%3A00%2B01%3A00", [PAGE, SINCE]) == key
    assert render_view_key(key, [PAGE, SINCE]) == "a%2Cb,2026-11-22T19%3A01%3A00Z"


@pytest.mark.parametrize("text", ["", "a", "a,b", "a,2026,c", "a,x", "%ff,1", "a,1.5", "a,99999999999999999999"])
def test_what_is_no_key_of_the_view_says_what_a_key_is(text: str) -> None:
    with pytest.raises(KeyInvalid):
        parse_view_key(text, [PAGE, COUNT])


@given(st.text(), st.lists(st.sampled_from(list(Kind)[:9]), max_size=3))
def test_any_text_as_a_key_is_a_key_or_an_error(text: str, kinds: list[Kind]) -> None:
    columns = [Column(name=f"f{i}", type=ColumnType(kind=kind)) for i, kind in enumerate(kinds) if kind in values]
    with suppress(KeyInvalid):
        assert isinstance(parse_view_key(text, columns), bytes)


keys = st.binary(max_size=2)
changes = st.lists(st.tuples(keys, st.none() | st.binary(max_size=2)), max_size=40)


@contextmanager
def new_store() -> Iterator[RocksViewStore]:
    with TemporaryDirectory() as folder:
        store = RocksViewStore(Path(folder))
        try:
            yield store
        finally:
            store.close()


def all_of(store: RocksViewStore) -> list[Found]:
    return store.read().scan(KEYS, behind(STRANGE), 1000)


@settings(max_examples=25)
@given(changes, st.integers(1, 5))
def test_a_store_is_the_latest_value_per_key_in_order(made: list[tuple[bytes, bytes | None]], batch: int) -> None:
    expected: dict[bytes, bytes] = {}
    with new_store() as store:
        for start in range(0, len(made), batch):
            together = []
            for offset, (key, value) in enumerate(made[start : start + batch], start):
                together.append(Change(key, None if value is None else Entry(value, 0, offset, 0)))
                if value is None:
                    expected.pop(key, None)
                else:
                    expected[key] = value
            store.apply(together, {0: start + len(together)}, 0.0)
        assert [(found.key, found.entry.value) for found in all_of(store)] == sorted(expected.items())
        assert store.count() == len(expected)
        assert store.positions() == ({0: len(made)} if made else {})
        for key in {key for key, _ in made}:
            entry = store.get(key)
            assert (entry.value if entry else None) == expected.get(key)


@settings(max_examples=25)
@given(
    st.lists(st.tuples(keys, st.integers(0, 2)), max_size=60), st.dictionaries(st.integers(0, 2), st.integers(0, 25))
)
def test_what_the_topic_no_longer_has_expires(made: list[tuple[bytes, int]], earliest: dict[int, int]) -> None:
    ends = [0, 0, 0]
    with new_store() as store:
        for key, partition in made:
            entry = Entry(b"v", partition, ends[partition], 0)
            store.apply([Change(key, entry)], {partition: ends[partition] + 1}, 0.0)
            ends[partition] += 1
        before, positions = all_of(store), store.positions()
        kept = [found for found in before if found.entry.offset >= earliest.get(found.entry.partition, 0)]
        assert store.expire(earliest) == len(before) - len(kept)
        assert all_of(store) == kept
        assert store.count() == len(kept)
        assert store.expire(earliest) == 0
        assert store.positions() == positions


def test_a_record_that_is_read_after_it_was_deleted_expires_too() -> None:
    with new_store() as store:
        assert store.expire({0: 5}) == 0
        store.apply([Change(b"k", Entry(b"v", 0, 3, 0))], {0: 4}, 0.0)
        assert store.expire({0: 5}) == 1


def test_a_reading_is_one_state_of_the_store_and_of_its_positions() -> None:
    with new_store() as store:
        store.apply([Change(b"k", Entry(b"old", 0, 0, 0))], {0: 1}, 0.0)
        reading = store.read()
        store.apply([Change(b"k", Entry(b"new", 0, 1, 0)), Change(b"l", Entry(b"", 0, 2, 0))], {0: 3}, 0.0)
        found = reading.get(b"k")
        assert found is not None
        assert (found.value, reading.positions, reading.get(b"l")) == (b"old", {0: 1}, None)
        assert len(reading.scan(KEYS, behind(STRANGE), 9)) == 1
        del reading


def test_a_store_is_kept_for_what_it_was_made_for_and_else_emptied(tmp_path: Path) -> None:
    made = Change(b"k", Entry(b"v", 0, 0, 0))
    store = RocksViewStore(tmp_path)
    assert not store.prepare("topic 1", now=100.0, outdated=50.0)
    store.apply([made], {0: 1}, 100.0)
    store.close()
    store = RocksViewStore(tmp_path)
    assert not store.prepare("topic 1", now=149.0, outdated=50.0)
    assert (store.count(), store.positions()) == (1, {0: 1})
    for identity, now in (("topic 2", 149.0), ("topic 2", 150.0 + 50.0)):
        assert store.prepare(identity, now, outdated=50.0)
        assert (store.count(), store.positions(), store.get(b"k")) == (0, {}, None)
        store.apply([made], {0: 1}, now)
    store.close()


def test_a_folder_that_is_no_store_is_made_anew_and_one_in_use_is_said(tmp_path: Path) -> None:
    (tmp_path / "CURRENT").write_text("rubbish")
    store = RocksViewStore(tmp_path)
    with pytest.raises(StoreError, match="in use by another gateway"):
        RocksViewStore(tmp_path)
    store.apply([Change(b"k", Entry(b"v", 0, 0, 0))], {0: 1}, 0.0)
    store.close()


ordered: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.STRING: st.text(st.characters(max_codepoint=300), max_size=3),
    Kind.BIGINT: st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3),
    Kind.BOOLEAN: st.booleans(),
    Kind.DOUBLE: st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([-1.5, 0.0, 2.0]),
    Kind.DATE: st.dates().map(str),
    Kind.TIMESTAMP: st.integers(-(10**12), 10**12),
}


@given(st.data(), st.lists(st.sampled_from(list(ordered)), min_size=1, max_size=3))
def test_places_sort_as_the_fields_do_and_no_two_keys_share_one(data: st.DataObject, kinds: list[Kind]) -> None:
    columns = [Column(name=f"f{i}", type=ColumnType(kind=kind)) for i, kind in enumerate(kinds)]
    drawn = data.draw(st.lists(st.tuples(*(ordered[kind] for kind in kinds)), min_size=2, max_size=6))

    def spelt(values: Sequence[Any]) -> list[Any]:
        times = [column.type.kind is Kind.TIMESTAMP for column in columns]
        return [canonical_timestamp(v) if time else v for v, time in zip(values, times, strict=True)]

    def sorting(values: Sequence[Any]) -> list[Any]:
        return [v.encode() if isinstance(v, str) else v for v in values]

    places = [place_fields(columns, spelt(values)) for values in drawn]
    by_place = [drawn[index] for index in sorted(range(len(drawn)), key=lambda index: places[index])]
    assert list(map(sorting, by_place)) == sorted(map(sorting, drawn))
    assert len(set(places)) == len({tuple(map(repr, values)) for values in drawn})
    # All keys with these leading fields lie before `behind` them, and no others do.
    for values, place in zip(drawn, places, strict=True):
        lead = place_fields(columns[:1], spelt(values)[:1])
        assert lead <= place < behind(lead)


SECONDS = st.sampled_from(["2024-01-01T00:00:00", "1969-12-31T23:59:59", "0001-01-01T00:00:00", "2016-12-31T23:59:60"])
FRACTIONS = st.sampled_from(["", ".0", ".000", ".1", ".10", ".123", ".1230", ".123001", ".123000001"])
ZONES = st.sampled_from(["Z", "z", "+00:00", "-00:00", "+01:00", "-23:59", ""])
SPELT: dict[Kind, st.SearchStrategy[str]] = {
    Kind.TIMESTAMP: st.builds(lambda *parts: f'"{"".join(parts)}"', SECONDS, FRACTIONS, ZONES),
    Kind.EPOCH_MILLIS: st.builds(lambda *parts: f'"{"".join(parts)}"', SECONDS, FRACTIONS, ZONES)
    | st.sampled_from(["1704067200000", "1704067200000.0"]),
    Kind.DOUBLE: st.sampled_from(
        ["1", "1.0", "1e0", "0", "-0", "0.0", "-0.0", "9007199254740993", "9007199254740992.0"]
    ),
    Kind.BIGINT: st.sampled_from(["1", "1.0", "-0", "0", "01", "1e0", "99999999999999999999"]),
    Kind.STRING: st.sampled_from(['"a"', '"\\u0061"', '"\\u0000"', '"\\u0001\\u0001"', '""', "null", "1"]),
}


@given(st.data(), st.lists(st.sampled_from(list(SPELT)), min_size=1, max_size=2))
def test_no_two_keys_share_a_place_however_they_are_spelt(data: st.DataObject, kinds: list[Kind]) -> None:
    columns = [Column(name=f"f{i}", type=ColumnType(kind=kind)) for i, kind in enumerate(kinds)]
    texts = st.tuples(*(SPELT[kind] for kind in kinds))
    drawn = data.draw(st.lists(texts, min_size=2, max_size=12, unique=True))
    made = [
        "{" + ",".join(f'"{column.name}":{text}' for column, text in zip(columns, values, strict=True)) + "}"
        for values in drawn
    ]
    order = KeyOrder(columns)
    assert len({order.place(key.encode()) for key in made}) == len(made)


def test_only_the_canonical_spelling_of_a_time_lies_among_the_times() -> None:
    order = KeyOrder([SINCE])
    for text in ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00.12Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z"):
        assert order.place(f'{{"since":"{text}"}}'.encode()).startswith(KEYS)
    for text in ("2024-01-01T00:00:00.000Z", "2024-01-01T01:00:00+01:00", "2024-01-01T00:00:00.000001Z"):
        assert order.place(f'{{"since":"{text}"}}'.encode()).startswith(STRANGE)


def test_a_key_that_is_spelt_otherwise_is_another_key() -> None:
    order = KeyOrder([PAGE, COUNT])
    assert order.place(b'{"page":"a","n":1}').startswith(KEYS)
    for key in (b'{"page":"a", "n":1}', b'{"n":1,"page":"a"}', b'{"page":"a","n":1.0}', b'{"page":"a"}', b"", b"\xff"):
        assert order.place(key) == STRANGE + key
    assert KeyOrder([PAGE]).place(b"\xff") == STRANGE + b"\xff"
