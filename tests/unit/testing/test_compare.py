"""What came out beside what was expected: by meaning, in any order, and what differs named by field."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core.columns import BIGINT, DOUBLE, JSON, STRING, TIMESTAMP, Column, ColumnType, Kind
from headrace.testing.cases import ExpectedLetter, ExpectedRows
from headrace.testing.compare import Changed, Difference, Letter, compare_letters, compare_rows, same

COLUMNS = (
    Column(name="page", type=STRING, required=True),
    Column(name="start", type=TIMESTAMP),
    Column(name="views", type=BIGINT),
    Column(name="share", type=DOUBLE),
    Column(name="tags", type=ColumnType(kind=Kind.ARRAY, element=STRING)),
    Column(name="where", type=ColumnType(kind=Kind.ROW, fields=(Column(name="lat", type=DOUBLE),))),
)
HOME = {"page": "/home", "start": "2026-11-22T10:00:00Z", "views": 2}
CART = {"page": "/cart", "start": "2026-11-22T10:00:00Z", "views": 1}


def differences(expected: list[dict[str, Any]], got: list[dict[str, Any]], **options: bool) -> list[Difference]:
    return compare_rows("page_views", ExpectedRows(tuple(expected), **options), got, COLUMNS)


def test_rows_agree_in_any_order_and_by_the_fields_that_are_named() -> None:
    assert differences([{"page": "/cart"}, {"page": "/home", "views": 2}], [HOME, CART]) == []


def test_a_row_of_few_fields_does_not_take_what_only_another_fits() -> None:
    assert differences([{"views": 2}, HOME], [HOME, {**CART, "views": 2}]) == []


def test_a_difference_names_the_nearest_row_and_its_fields() -> None:
    (found,) = differences([{**HOME, "views": 3}, CART], [HOME, CART])
    assert (found.expected, found.got) == ({**HOME, "views": 3}, HOME)
    assert found.changes == (Changed("views", 2, 3),)


def test_rows_that_are_nothing_alike_are_not_paired() -> None:
    assert differences([HOME], [{"page": "/x", "start": None, "views": 9}]) == [
        Difference("page_views", expected=HOME),
        Difference("page_views", got={"page": "/x", "start": None, "views": 9}),
    ]


def test_a_subset_lets_others_come() -> None:
    assert differences([HOME], [CART, HOME], exact=False) == []
    assert differences([HOME, CART], [CART, HOME], exact=False, ordered=True) == [
        Difference("page_views", CART, note="not in this order")
    ]


def test_an_order_that_is_asked_for_is_compared_row_by_row() -> None:
    found = differences([HOME, CART], [CART, HOME], ordered=True)
    assert [difference.note for difference in found] == ["row 1", "row 2"]
    assert differences([HOME], [HOME, CART], ordered=True) == [Difference("page_views", got=CART, note="row 2")]


def test_all_fields_count_when_asked_for() -> None:
    (found,) = differences([{"page": "/home"}], [HOME], all_fields=True)
    assert [change.field for change in found.changes] == ["start", "views"]
    assert differences([HOME], [{**HOME, "share": None}], all_fields=True) == []


def test_nested_values_differ_by_their_own_names() -> None:
    (found,) = differences(
        [{"page": "/home", "views": 2, "where": {"lat": 1.5}, "tags": ["a"]}],
        [{**HOME, "where": {"lat": 2.5, "lon": 0.0}, "tags": ["b"]}],
    )
    assert [change.field for change in found.changes] == ["where.lat", "tags"]


@pytest.mark.parametrize(
    ("kind", "got", "expected", "equal"),
    [
        (Kind.TIMESTAMP, "2026-11-22T10:00:00Z", "2026-11-22T12:00:00+02:00", True),
        (Kind.TIMESTAMP, "2026-11-22T10:00:00Z", "2026-11-22T10:00:00.001Z", False),
        (Kind.TIMESTAMP, "2026-11-22T10:00:00Z", "noon", False),
        (Kind.DECIMAL, "12.50", 12.5, True),
        (Kind.DECIMAL, "12.50", "12.51", False),
        (Kind.DOUBLE, 0.1 + 0.2, 0.3, True),
        (Kind.DOUBLE, 2, 2.0, True),
        (Kind.DOUBLE, 2.0, True, False),
        (Kind.BIGINT, 1, True, False),
        (Kind.STRING, "1", 1, False),
        (Kind.STRING, None, None, True),
        (Kind.STRING, None, "", False),
        (Kind.JSON, '{"a": 1}', {"a": 1}, True),
        (Kind.BOOLEAN, True, True, True),
    ],
)
def test_values_compare_by_what_they_mean(kind: Kind, got: object, expected: object, equal: bool) -> None:
    assert same(got, expected, kind) is equal


rows = st.lists(st.fixed_dictionaries({"page": st.sampled_from(["/a", "/b"]), "views": st.integers(0, 3)}), max_size=6)


@settings(max_examples=100, deadline=None)
@given(rows, st.randoms(use_true_random=False))
def test_rows_always_agree_with_themselves_shuffled(some: list[dict[str, Any]], random: Any) -> None:
    shuffled = random.sample(some, len(some))
    assert differences(some, shuffled) == []


@settings(max_examples=100, deadline=None)
@given(rows, rows)
def test_nothing_is_said_only_when_the_multisets_are_equal(
    one: list[dict[str, Any]], other: list[dict[str, Any]]
) -> None:
    equal = sorted((row["page"], row["views"]) for row in one) == sorted((row["page"], row["views"]) for row in other)
    assert (differences(one, other) == []) is equal


LATE = Letter("Late", "clicks", "page-views", "event time … is late", b'{"id": "e9"}', {"id": "e9", "page": "/"}, "e9")
BROKEN = Letter("Malformed", "clicks", "page-views", "the value is not JSON", b"{")


def test_letters_are_known_by_what_is_said_of_them() -> None:
    said = [
        ExpectedLetter("Malformed", raw="{", error="not JSON"),
        ExpectedLetter("Late", id="e9", value={"page": "/"}),
    ]
    assert compare_letters(said, [LATE, BROKEN]) == []


def test_a_letter_that_nobody_expected_tells_why_it_was_written() -> None:
    (found,) = compare_letters([ExpectedLetter("Late")], [LATE, BROKEN])
    assert found.got == {"reason": "Malformed", "topic": "clicks", "job": "page-views", "raw": "{"}
    assert found.note == "the value is not JSON"


def test_a_letter_that_did_not_come_is_told_as_it_was_said() -> None:
    (found,) = compare_letters([ExpectedLetter("Late", id="e8")], [])
    assert found.expected == {"reason": "Late", "id": "e8"}


def test_json_text_is_a_string_where_the_fixture_writes_one() -> None:
    assert same('{"a": 1}', '{"a": 1}', JSON.kind)
