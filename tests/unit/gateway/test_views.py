"""Cursors, view keys and view stores: what goes out comes back."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.columns import Column, ColumnType, Kind
from headrace.core.keys import encode_key
from headrace_apps.gateway.cursor import CursorInvalid, parse_cursor, render_cursor
from headrace_apps.gateway.rows import canonical_timestamp
from headrace_apps.gateway.views.keys import KeyInvalid, parse_view_key, render_view_key
from headrace_apps.gateway.views.store import Change, Entry, MemoryViewStore

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


@given(changes, st.integers(1, 5))
def test_a_store_is_the_latest_value_per_key_in_order(made: list[tuple[bytes, bytes | None]], page: int) -> None:
    store = MemoryViewStore()
    expected: dict[bytes, bytes] = {}
    for offset, (key, value) in enumerate(made):
        entry = None if value is None else Entry(value, 0, offset, 0)
        store.apply([Change(key, entry)], {0: offset + 1})
        if value is None:
            expected.pop(key, None)
        else:
            expected[key] = value
    listed: list[tuple[bytes, Entry]] = []
    while found := store.scan(listed[-1][0] if listed else None, page):
        listed += found
    assert [(key, entry.value) for key, entry in listed] == sorted(expected.items())
    assert store.count() == len(expected)
    assert store.positions() == ({0: len(made)} if made else {})
    for key in {key for key, _ in made}:
        entry = store.get(key)
        assert (entry.value if entry else None) == expected.get(key)


@given(
    st.lists(st.tuples(keys, st.integers(0, 2)), max_size=60), st.dictionaries(st.integers(0, 2), st.integers(0, 25))
)
def test_what_the_topic_no_longer_has_expires(made: list[tuple[bytes, int]], earliest: dict[int, int]) -> None:
    store = MemoryViewStore()
    ends = [0, 0, 0]
    for key, partition in made:
        store.apply([Change(key, Entry(b"v", partition, ends[partition], 0))], {partition: ends[partition] + 1})
        ends[partition] += 1
    before, positions = store.scan(None, 100), store.positions()
    kept = [(key, entry) for key, entry in before if entry.offset >= earliest.get(entry.partition, 0)]
    assert store.expire(earliest) == len(before) - len(kept)
    assert store.scan(None, 100) == kept
    assert store.expire(earliest) == 0
    assert store.positions() == positions


def test_a_record_that_is_read_after_it_was_deleted_expires_too() -> None:
    store = MemoryViewStore()
    assert store.expire({0: 5}) == 0
    store.apply([Change(b"k", Entry(b"v", 0, 3, 0))], {0: 4})
    assert store.expire({0: 5}) == 1
