"""What is a row, a tombstone, or a refusal (docs/reference/contracts.md, "Row semantics")."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core.columns import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    EPOCH_MILLIS,
    JSON,
    STRING,
    TIMESTAMP,
    Column,
    ColumnType,
    Kind,
)
from headrace_apps.records.decoder import JsonDecoder
from headrace_apps.records.outcome import TOMBSTONE, Outcome, Refused, Row


def decode(type_: ColumnType, text: str | bytes, required: bool = True) -> Outcome:
    """One field `f` of that type with the JSON text as its value."""
    value = b'{"f":' + (text.encode() if isinstance(text, str) else text) + b"}"
    return JsonDecoder([Column(name="f", type=type_, required=required)]).row(value)


def error_of(outcome: Outcome) -> str:
    assert isinstance(outcome, Refused)
    return outcome.error


ARRAY = ColumnType(kind=Kind.ARRAY, element=BIGINT)
MAP = ColumnType(kind=Kind.MAP, value=BOOLEAN)
ROW = ColumnType(kind=Kind.ROW, fields=(Column(name="a", type=STRING, required=True), Column(name="t", type=TIMESTAMP)))


@pytest.mark.parametrize(
    ("type_", "text", "value"),
    [
        (STRING, '"é\\n"', "é\n"),
        (BIGINT, "-9223372036854775808", -(2**63)),
        (BIGINT, "1.0", 1),
        (BIGINT, "1e3", 1000),
        (BIGINT, "9007199254740993.0", 9007199254740993),
        (DOUBLE, "1", 1.0),
        (DOUBLE, "-2.5e-3", -0.0025),
        (BOOLEAN, "false", False),
        (DATE, '"2024-02-29"', "2024-02-29"),
        (TIMESTAMP, '"1970-01-01T00:00:00Z"', 0),
        (TIMESTAMP, '"2026-11-22t20:01:00.1239+01:00"', 1795374060123),
        (TIMESTAMP, '"1969-12-31 23:59:59.9999z"', -1),
        (TIMESTAMP, '"2016-12-31T23:59:60Z"', 1483228800000),
        (JSON, '{"b": [1, null], "a": "x"}', '{"b":[1,null],"a":"x"}'),
        (JSON, '"text"', '"text"'),
        (JSON, "123456789012345678901234567890", "123456789012345678901234567890"),
        (ARRAY, "[1, 2.0]", "[1,2]"),
        (MAP, '{"x": true}', '{"x":true}'),
        (ROW, '{"a": "v", "t": "2026-01-01T01:00:00+01:00", "z": 1}', '{"a":"v","t":"2026-01-01T00:00:00Z"}'),
    ],
)
def test_a_value_that_fits_its_type(type_: ColumnType, text: str, value: Any) -> None:
    outcome = decode(type_, text)
    assert outcome == Row({"f": value})
    assert isinstance(outcome, Row)
    assert type(outcome.values["f"]) is type(value)


@pytest.mark.parametrize(
    ("type_", "text", "error"),
    [
        (STRING, "1", "field f is a number, a string was expected"),
        (BIGINT, '"1"', "field f is a string, an integer was expected"),
        (BIGINT, "1.5", "field f has a fraction, an integer was expected"),
        (BIGINT, "true", "field f is true or false, an integer was expected"),
        (BIGINT, "9223372036854775808", "field f does not fit 64 bits"),
        (BIGINT, "1e300", "field f does not fit 64 bits"),
        (DOUBLE, "false", "field f is true or false, a number was expected"),
        (BOOLEAN, "0", "field f is a number, true or false was expected"),
        (DATE, '"2023-02-29"', "field f is not a date in the calendar"),
        (DATE, '"22.11.2026"', "field f is not a date as YYYY-MM-DD"),
        (TIMESTAMP, '"2026-11-22T10:00:00"', "field f is not an RFC 3339 date-time with an offset"),
        (TIMESTAMP, '"2026-11-22T24:00:00Z"', "field f is not an RFC 3339 date-time with an offset"),
        (TIMESTAMP, '"2026-02-30T10:00:00Z"', "field f is not a date-time in the calendar"),
        (TIMESTAMP, '"9999-12-31T23:59:59-01:00"', "field f is outside the years 1 to 9999"),
        (TIMESTAMP, "1795374060123", "field f is a number, an RFC 3339 date-time was expected"),
        (ARRAY, "[1, null]", "field f[1] is null, an integer was expected"),
        (ARRAY, "{}", "field f is an object, an array was expected"),
        (MAP, '{"x": 1}', "field f.x is a number, true or false was expected"),
        (ROW, "{}", "field f.a is required and is null or missing"),
        (ROW, '{"a": 1}', "field f.a is a number, a string was expected"),
        (STRING, "null", "field f is required and is null"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_name(type_: ColumnType, text: str, error: str) -> None:
    assert error_of(decode(type_, text)) == error


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (b"", "the value is not JSON"),
        (b"{", "the value is not JSON"),
        (b'{"f":1}{"f":1}', "the value is not JSON"),
        (b'{"f":NaN}', "the value is not JSON"),
        (b'{"f":"\xff"}', "the value is not UTF-8 (byte 6)"),
        (b'{"f":"\\ud800"}', "the value is not JSON"),
        (b"[]", "the value is an array, not an object"),
        (b"null", "the value is null, not an object"),
        (b'{"f":"a","f":"a"}', 'the value has the key "f" twice'),
        (b'{"f":"a","g":{"x":1,"x":2}}', 'the value has the key "x" twice'),
        (b'{"f":"a","g":' + b"[" * 5000 + b"]" * 5000 + b"}", "the value is not JSON"),
        (b"{}", "field f is required and is missing"),
    ],
)
def test_what_is_no_object_with_single_keys_is_refused(value: bytes, error: str) -> None:
    outcome = JsonDecoder([Column(name="f", type=STRING, required=True)]).row(value)
    assert error_of(outcome).startswith(error)


def test_optional_fields_may_be_null_or_missing_and_others_are_ignored() -> None:
    decoder = JsonDecoder([Column(name="f", type=BIGINT), Column(name="g", type=ARRAY)])
    assert decoder.row(b'{"f":null,"other":1}') == Row({"f": None, "g": None})


def test_no_value_is_a_tombstone() -> None:
    assert JsonDecoder([]).row(None) == TOMBSTONE


def test_an_integer_event_time_is_epoch_milliseconds() -> None:
    decoder = JsonDecoder([Column(name="at", type=EPOCH_MILLIS, required=True)])
    assert decoder.row(b'{"at":1795374060123}') == Row({"at": 1795374060123})
    assert error_of(decoder.row(b'{"at":1e18}')) == "field at is outside the years 1 to 9999"
    assert error_of(decoder.row(b'{"at":"2026-11-22T19:01:00Z"}')) == "field at is a string, an integer was expected"


EVERYTHING = [
    Column(name=kind.name.lower(), type=type_, required=required)
    for kind, type_, required in [
        (Kind.STRING, STRING, True), (Kind.BIGINT, BIGINT, False), (Kind.DOUBLE, DOUBLE, False),
        (Kind.BOOLEAN, BOOLEAN, False), (Kind.TIMESTAMP, TIMESTAMP, False), (Kind.DATE, DATE, False),
        (Kind.EPOCH_MILLIS, EPOCH_MILLIS, False),
        (Kind.JSON, JSON, False), (Kind.ARRAY, ARRAY, False), (Kind.MAP, MAP, False), (Kind.ROW, ROW, False),
    ]
]  # fmt: skip


@given(st.binary(max_size=200))
def test_any_bytes_have_one_outcome(value: bytes) -> None:
    assert isinstance(JsonDecoder(EVERYTHING).row(value), Refused)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=50)
@given(st.dictionaries(st.sampled_from([c.name for c in EVERYTHING]), json_values))
def test_any_object_is_a_row_of_fitting_types_or_refused(document: dict[str, Any]) -> None:
    kinds: dict[str, type] = {"string": str, "bigint": int, "double": float, "boolean": bool, "timestamp": int}
    for value in (json.dumps(document), json.dumps(document, ensure_ascii=False, separators=(",", ":"))):
        try:
            outcome = JsonDecoder(EVERYTHING).row(value.encode())
        except UnicodeEncodeError:  # half a surrogate pair is no UTF-8 to begin with
            continue
        if isinstance(outcome, Row):
            assert outcome.values.keys() == {c.name for c in EVERYTHING}
            assert all(v is None or type(v) is kinds.get(name, str) for name, v in outcome.values.items())
        else:
            assert isinstance(outcome, Refused)


@settings(max_examples=50)
@given(st.dictionaries(st.text(), json_values, max_size=5))
def test_spaces_and_escapes_change_nothing(document: dict[str, Any]) -> None:
    try:
        compact = json.dumps({"f": document}, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return
    spaced = json.dumps({"f": document}, indent=1).encode()
    decoder = JsonDecoder([Column(name="f", type=JSON, required=True)])
    one, other = decoder.row(compact), decoder.row(spaced)
    assert isinstance(one, Row)
    assert isinstance(other, Row)
    # As doubles, which is all that JSON promises of a large number.
    texts = (one.values["f"], other.values["f"], json.dumps(document))
    read = [json.loads(text, parse_int=float) for text in texts]
    assert read[0] == read[1] == read[2]


NAIVE = [datetime.fromisoformat(text) for text in ("0002-01-01T00:00:00", "9998-01-01T00:00:00")]


@given(st.datetimes(*NAIVE), st.integers(-1439, 1439), st.integers(0, 9))
def test_every_instant_is_read_to_the_millisecond(local: datetime, offset: int, digits: int) -> None:
    hours, minutes = divmod(abs(offset), 60)
    fraction = f".{local.microsecond:06d}000"[: digits + 1] if digits else ""
    text = f"{local:%H:%M:%S}{fraction}{'-' if offset < 0 else '+'}{hours:02d}:{minutes:02d}"
    outcome = decode(TIMESTAMP, f'"{local.year:04d}-{local:%m-%d}T{text}"')
    kept = timedelta(milliseconds=int(fraction[1:4].ljust(3, "0")))
    moment = (local.replace(microsecond=0, tzinfo=UTC) + kept) - timedelta(minutes=offset)
    assert outcome == Row({"f": (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)})
