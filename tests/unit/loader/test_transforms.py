"""Hash, mask and cast of single values; a cast that fails refuses the record."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from headrace.core.columns import BIGINT, BOOLEAN, CASTS, DATE, DOUBLE, JSON, STRING, TIMESTAMP, Column, ColumnType
from headrace.core.documents import TableColumn, Transform
from headrace_apps.loader.rows import Refused
from headrace_apps.loader.transforms import _CASTS, Projection, mask


def apply(source: ColumnType, transform: Transform | None, value: Any) -> Any:
    column = TableColumn(name="C", field="f", type=STRING, transform=transform)
    outcome = Projection([column], [Column(name="f", type=source)]).apply({"f": value})
    return outcome if isinstance(outcome, Refused) else outcome[0]


def cast(to: ColumnType) -> Transform:
    return Transform(kind="cast", to=to)


@pytest.mark.parametrize(
    ("source", "value", "text"),
    [
        (STRING, "é", "é"), (BIGINT, -3, "-3"), (DOUBLE, 1.5, "1.5"), (BOOLEAN, True, "true"),
        (TIMESTAMP, 1795374060000, "2026-11-22T19:01:00Z"), (TIMESTAMP, 1795374060120, "2026-11-22T19:01:00.120Z"),
        (DATE, "2026-11-22", "2026-11-22"), (JSON, '{"a":1}', '{"a":1}'),
    ],
)  # fmt: skip
def test_hash_and_cast_to_string_see_the_values_text(source: ColumnType, value: Any, text: str) -> None:
    assert apply(source, cast(STRING), value) == text
    assert apply(source, Transform(kind="hash"), value) == hashlib.sha256(text.encode()).hexdigest()


def test_mask_keeps_the_last_characters_unless_that_would_show_everything() -> None:
    assert [mask("4111222233334444", 4), mask("1234", 4), mask("12345", 4), mask("abc", 0), mask("", 2)] == [
        "************4444", "****", "*2345", "***", "",
    ]  # fmt: skip
    assert apply(BIGINT, Transform(kind="mask", keep_last=2), 12345) == "***45"


@pytest.mark.parametrize(
    ("source", "value", "to", "result"),
    [
        (STRING, " 42 ", BIGINT, 42), (STRING, "1e3", BIGINT, 1000), (STRING, "2.50", DOUBLE, 2.5),
        (STRING, "TRUE", BOOLEAN, True), (STRING, "2026-11-22T19:01:00Z", TIMESTAMP, 1795374060000),
        (STRING, "2026-11-22", DATE, "2026-11-22"), (STRING, '{"b": 1}', JSON, '{"b":1}'),
        (BIGINT, 7, DOUBLE, 7.0), (BIGINT, 0, BOOLEAN, False), (BIGINT, 1795374060000, TIMESTAMP, 1795374060000),
        (DOUBLE, 3.0, BIGINT, 3), (BOOLEAN, True, BIGINT, 1), (TIMESTAMP, 1795374060000, BIGINT, 1795374060000),
        (TIMESTAMP, 1795374060000, DATE, "2026-11-22"), (DATE, "2026-11-22", TIMESTAMP, 1795305600000),
        (TIMESTAMP, 0, JSON, '"1970-01-01T00:00:00Z"'),
    ],
)  # fmt: skip
def test_casts(source: ColumnType, value: Any, to: ColumnType, result: Any) -> None:
    assert apply(source, cast(to), value) == result


@pytest.mark.parametrize(
    ("source", "value", "to"),
    [
        (STRING, "12x", BIGINT), (STRING, "1.5", BIGINT), (STRING, "1e999999999", BIGINT), (STRING, "nan", DOUBLE),
        (STRING, "yes", BOOLEAN), (STRING, "2026-11-22", TIMESTAMP), (STRING, "x", DATE), (STRING, "{", JSON),
        (DOUBLE, 1.5, BIGINT), (DOUBLE, 1e300, BIGINT), (BIGINT, 2**62, TIMESTAMP), (STRING, "9" * 30, BIGINT),
    ],
)  # fmt: skip
def test_a_cast_that_fails_refuses_and_never_becomes_null(source: ColumnType, value: Any, to: ColumnType) -> None:
    outcome = apply(source, cast(to), value)
    assert isinstance(outcome, Refused)
    assert outcome.error.startswith("column C: field f ")


@pytest.mark.parametrize("transform", [None, Transform(kind="hash"), Transform(kind="mask"), cast(BIGINT)])
def test_null_stays_null(transform: Transform | None) -> None:
    assert apply(STRING, transform, None) is None


def test_what_cannot_be_projected_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match="column C: the topic has no field 'f'"):
        Projection([TableColumn(name="C", field="f", type=STRING)], [])
    with pytest.raises(ValueError, match="BOOLEAN cannot be cast to DATE"):
        apply(BOOLEAN, cast(DATE), True)


def test_the_loader_casts_exactly_what_validation_lets_through() -> None:
    assert set(_CASTS) == CASTS
