"""Avro records as readers see them, and as the gateway writes them (docs/reference/contracts.md, "Avro")."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import Any

import fastavro
import pytest

from headrace_apps.records.outcome import TOMBSTONE, Refused, Row, UnfitError
from headrace_apps.records.registry import RegistryAwayError
from headrace_apps.records.wire import render_prefix

from .paper_registry import Topic


def record(**fields: Any) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": [{"name": n, "type": t} for n, t in fields.items()]}


def logical(type_: str, name: str, **more: Any) -> dict[str, Any]:
    return {"type": type_, "logicalType": name, **more}


ENUM = {"type": "enum", "name": "Colour", "symbols": ["RED", "BLUE"]}
POINT = {
    "type": "record",
    "name": "Point",
    "fields": [{"name": "x", "type": "int"}, {"name": "y", "type": ["null", "int"]}],
}
DECIMAL = logical("bytes", "decimal", precision=6, scale=2)
FIXED_DECIMAL = {**DECIMAL, "type": "fixed", "name": "D", "size": 3}
UUID = "0f3c8e0a-3a39-4d55-8dd9-2b1a5c3e7f10"
NANOS = "2026-11-22T10:15:30.000000001"

# type, what fastavro is given, the JSON form, the row's value
VALUES: list[tuple[Any, Any, Any, Any]] = [
    ("string", "é", "é", "é"),
    ("int", -5, -5, -5),
    ("long", 2**62, 2**62, 2**62),
    ("float", 0.1, 0.10000000149011612, 0.10000000149011612),
    ("double", 2.5, 2.5, 2.5),
    ("boolean", True, True, True),
    ("bytes", b"\x00\xff", "AP8=", b"\x00\xff"),
    ({"type": "fixed", "name": "F", "size": 2}, b"ab", "YWI=", b"ab"),
    (ENUM, "BLUE", "BLUE", "BLUE"),
    (logical("string", "uuid"), UUID, UUID, UUID),
    (logical("long", "timestamp-millis"), -1, "1969-12-31T23:59:59.999Z", -1),
    (logical("long", "timestamp-micros"), 1_500_000, "1970-01-01T00:00:01.500Z", 1_500),
    (logical("long", "timestamp-nanos"), 2_000_000_000, "1970-01-01T00:00:02Z", 2_000),
    (logical("int", "date"), 20_779, "2026-11-22", "2026-11-22"),
    (logical("int", "time-millis"), 36_930_500, "10:15:30.5", "10:15:30.5"),
    (logical("long", "time-micros"), 1, "00:00:00.000001", "00:00:00.000001"),
    (logical("long", "local-timestamp-nanos"), 1_795_342_530_000_000_001, NANOS, NANOS),
    (DECIMAL, b"\x04\xe2", "12.50", Decimal("12.50")),
    (FIXED_DECIMAL, b"\xff\xff\xff", "-0.01", Decimal("-0.01")),
    ({"type": "array", "items": "int"}, [1, 2], [1, 2], "[1,2]"),
    ({"type": "map", "values": DECIMAL}, {"a": b"\x01"}, {"a": "0.01"}, '{"a":"0.01"}'),
    (POINT, {"x": 1, "y": None}, {"x": 1}, '{"x":1}'),
    (["null", "string"], "a", "a", "a"),
    (["null", POINT], {"x": 1, "y": 2}, {"x": 1, "y": 2}, '{"x":1,"y":2}'),
    (["null", "string", "long"], "a", "a", '"a"'),
    (["string", "long"], 5, 5, "5"),
    (["string", POINT], {"x": 1, "y": None}, {"x": 1, "y": None}, '{"x":1,"y":null}'),
    ([logical("int", "date"), "string", "long"], ("int", 0), "1970-01-01", '"1970-01-01"'),
]


@pytest.mark.parametrize(("type_", "given", "form", "row"), VALUES)
def test_each_type_has_its_json_form_and_its_row(type_: Any, given: Any, form: Any, row: Any) -> None:
    topic = Topic("Avro", record(f=type_))
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(record(f=type_)), {"f": given})
    value = render_prefix(1) + out.getvalue()
    assert topic.decoder.form(value) == {"f": form}
    found = topic.decoder.row(value)
    assert found == Row({"f": row})
    assert isinstance(found, Row)
    assert type(found.values["f"]) is type(row)
    assert topic.encode({"f": form}) == value


def test_digits_below_a_millisecond_are_cut() -> None:
    topic = Topic("Avro", record(f=logical("long", "timestamp-micros")))
    value = topic.encode({"f": "1969-12-31T23:59:59.9999999Z"})
    assert value[-1:] == b"\x01"  # -1 µs: what the type can hold is stored
    assert topic.decoder.row(value) == Row({"f": -1})
    assert topic.decoder.form(value) == {"f": "1969-12-31T23:59:59.999Z"}


@pytest.mark.parametrize("spelling", ["12.5", 12, Decimal("12.5"), "12.50", "012.5"])
def test_a_decimal_may_be_spelt_in_several_ways(spelling: Any) -> None:
    topic = Topic("Avro", record(f=DECIMAL))
    form = topic.decoder.form(topic.encode({"f": spelling}))
    assert form in ({"f": "12.50"}, {"f": "12.00"})


WRONG: list[tuple[Any, Any, str]] = [
    ("string", 1, "field f must be a string"),
    ("int", 2**31, "field f must be a whole number within 32 bits"),
    ("long", Decimal("1.5"), "field f must be a whole number within 64 bits"),
    ("boolean", "true", "field f must be true or false"),
    ("float", 1e300, "field f must be a number within 32 bits of floating point"),
    ("bytes", "a", "field f must be base64 text"),
    ({"type": "fixed", "name": "F", "size": 2}, "YQ==", "field f must be base64 of 2 bytes"),
    (ENUM, "GREEN", "field f must be one of RED, BLUE"),
    (logical("long", "timestamp-millis"), "2026-11-22", "field f must be a date-time with an offset"),
    (logical("long", "timestamp-nanos"), "9999-01-01T00:00:00Z", "field f must be a whole number within 64 bits"),
    (logical("int", "date"), "2026-02-30", "field f must be a date, as 2026-11-22"),
    (logical("int", "time-millis"), "10:15:30.0001", "field f must have at most 3 digits after the seconds"),
    (DECIMAL, "1.234", "field f must have at most 4 digits before the point and 2 after it"),
    (DECIMAL, "10000", "field f must have at most 4 digits before the point and 2 after it"),
    (DECIMAL, "1e3", 'field f must be a decimal, as "12.50"'),
    ({"type": "array", "items": "int"}, [1, "a"], "field f[1] must be a whole number within 32 bits"),
    ({"type": "map", "values": "string"}, {"k": 1}, "field f.k must be a string"),
    (POINT, {"y": 1}, "field f.x is required and may not be null"),
    (["string", "boolean"], 5, "field f fits none of the types of its union"),
    ("string", None, "field f is required and may not be null"),
]


@pytest.mark.parametrize(("type_", "given", "error"), WRONG)
def test_what_the_schema_cannot_hold_is_refused_by_name(type_: Any, given: Any, error: str) -> None:
    topic = Topic("Avro", record(f=type_))
    with pytest.raises(UnfitError) as refused:
        topic.encode({"f": given})
    assert refused.value.line.startswith(error)
    assert [fault.line for fault in topic.encoder.faults({"f": given})] == [refused.value.line]


BYTES: list[tuple[Any, bytes, str]] = [
    ("string", b"", "the value has no schema id before it"),
    ("string", b"\x00\x00\x00\x00\x09\x02a", "the value has the schema id 9, which the registry does not know"),
    ("string", b"\x00\x00\x00\x00\x02\x02a", "the value has the schema id 2, which is of other-value"),
    ("string", b"\x00\x00\x00\x00\x01\x04a", "the value's bytes end too early"),
    ("string", b"\x00\x00\x00\x00\x01\x02ab", "the value goes on for 1 bytes after the record"),
    ("string", b"\x00\x00\x00\x00\x01\x02\xff", "field f is not UTF-8"),
    ("string", b"\x00\x00\x00\x00\x01\x01", "field f has a negative length"),
    ("boolean", b"\x00\x00\x00\x00\x01\x02", "field f is the byte 2, not true or false"),
    ("int", b"\x00\x00\x00\x00\x01\x80\x80\x80\x80\x10", "field f is a number of more than 32 bits"),
    ("long", b"\x00\x00\x00\x00\x01" + b"\xff" * 10 + b"\x01", "field f is a number of more than 64 bits"),
    ("double", b"\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\xf8\x7f", "field f is not a finite number"),
    (["null", "string"], b"\x00\x00\x00\x00\x01\x01", "field f has the branch -1 of 2"),
    (["null", "string"], b"\x00\x00\x00\x00\x01\x04", "field f has the branch 2 of 2"),
    (ENUM, b"\x00\x00\x00\x00\x01\x01", "field f has the symbol -1 of 2"),
    (DECIMAL, b"\x00\x00\x00\x00\x01\x00", "field f is a decimal without digits"),
    (DECIMAL, b"\x00\x00\x00\x00\x01\x08\x7f\xff\xff\xff", "field f has more than 6 digits"),
    (
        logical("int", "date"),
        b"\x00\x00\x00\x00\x01\xff\xff\xff\xff\x0f",
        "field f is a date outside the years 1 to 9999",
    ),
    ({"type": "array", "items": "string"}, b"\x00\x00\x00\x00\x01\xfe\xff\x03", "the value's bytes end too early"),
    ({"type": "array", "items": ["null", "int"]}, b"\x00\x00\x00\x00\x01\x02\x00\x00", "field f[0] is null"),
]


@pytest.mark.parametrize(("type_", "value", "error"), BYTES)
def test_what_is_no_record_is_refused_with_its_reason(type_: Any, value: bytes, error: str) -> None:
    topic = Topic("Avro", record(f=type_))
    topic.registry.add(record(f=type_), subject="other-value")
    for outcome in (topic.decoder.row(value), topic.decoder.form(value), topic.decoder.text(value)):
        assert isinstance(outcome, Refused)
        assert outcome.error.startswith(error)


def test_no_value_is_a_tombstone() -> None:
    assert Topic("Avro", record(f="string")).decoder.row(None) is TOMBSTONE


def test_a_registry_that_is_away_says_nothing_about_a_record() -> None:
    topic = Topic("Avro", record(f="string"))
    value = topic.encode({"f": "a"})
    topic.registry.away = True
    with pytest.raises(RegistryAwayError):
        topic.decoder.row(value)
    topic.registry.away = False
    assert topic.decoder.row(value) == Row({"f": "a"})
    topic.registry.away = True
    assert topic.decoder.row(value) == Row({"f": "a"})  # what was learnt once is kept


def test_an_integer_event_time_is_epoch_milliseconds() -> None:
    topic = Topic("Avro", record(at="long"), event_time="at")
    value = topic.encode({"at": 1_795_374_060_123})
    assert topic.decoder.row(value) == Row({"at": 1_795_374_060_123})
    assert topic.decoder.form(value) == {"at": 1_795_374_060_123}
    with pytest.raises(UnfitError, match="outside the years"):
        topic.encode({"at": 2**62})


# --------------------------------------------------------------------------------------------- evolution

OWN = {
    "type": "record",
    "name": "R",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "n", "type": "double"},
        {"name": "u", "type": ["null", "string", "long"]},
        {"name": "c", "type": {**ENUM, "symbols": ["RED", "OTHER"], "default": "OTHER"}},
        {"name": "raw", "type": "bytes", "default": "\u00ff"},
        {"name": "price", "type": {**DECIMAL, "precision": 8}},
        {"name": "at", "type": logical("long", "timestamp-micros")},
        {"name": "point", "type": [POINT, "null"], "default": {"x": 7, "y": None}},
        {"name": "renamed", "type": ["null", "string"], "aliases": ["old"], "default": None},
    ],
}
OLD = {
    "type": "record",
    "name": "R",
    "fields": [
        {"name": "gone", "type": {"type": "map", "values": "bytes"}},
        {"name": "n", "type": "int"},
        {"name": "u", "type": ["null", "string"]},
        {"name": "id", "type": "string"},
        {"name": "c", "type": ENUM},
        {"name": "old", "type": "string"},
        {"name": "price", "type": {**DECIMAL, "scale": 1}},
        {"name": "at", "type": logical("long", "timestamp-millis")},
    ],
}


def written_by(schema: dict[str, Any], value: dict[str, Any], schema_id: int) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return render_prefix(schema_id) + out.getvalue()


def test_old_writers_are_read_beside_new_ones() -> None:
    topic = Topic("Avro", OWN)
    old = topic.registry.add(OLD)
    value = {
        "gone": {"x": b"\xff"}, "n": 3, "u": "text", "id": "a", "c": "BLUE", "old": "kept", "price": b"\x7d", "at": 1500,
    }  # fmt: skip
    assert topic.decoder.row(written_by(OLD, value, old)) == Row(
        {
            "id": "a", "n": 3.0, "u": '"text"', "c": "OTHER", "raw": b"\xff", "price": Decimal("12.50"), "at": 1500,
            "point": '{"x":7}', "renamed": "kept",
        }
    )  # fmt: skip
    new = {"id": "b", "n": 1, "u": 5, "c": "RED", "raw": "AA==", "price": "1", "at": "1970-01-01T00:00:00Z"}
    row = topic.decoder.row(topic.encode(new))
    assert isinstance(row, Row)
    assert (row.values["u"], row.values["point"]) == ("5", None)
    assert list(row.values) == [field["name"] for field in OWN["fields"]]  # type: ignore[index]


@pytest.mark.parametrize(
    ("writer", "error"),
    [
        (record(f="boolean"), "f is a boolean, and a string in the topic's"),
        (record(g="string"), "it has no field f, which has no default"),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, "it is a enum, not a record"),
        (record(f="string", more={"type": "array", "items": "R"}), "more is a R inside a R"),
        ("no json", "Expecting value"),
    ],
)
def test_a_writer_that_cannot_be_resolved_is_refused_with_why(writer: Any, error: str) -> None:
    topic = Topic("Avro", record(f="string"))
    topic.registry.add(writer)
    for _ in range(2):
        outcome = topic.decoder.row(render_prefix(2) + b"\x02a")
        assert isinstance(outcome, Refused)
        assert outcome.error.startswith("the value's schema (id 2) cannot be resolved into the topic's: ")
        assert error in outcome.error
    assert topic.registry.asked == 1


def test_a_branch_that_no_reader_has_refuses_only_the_records_that_have_it() -> None:
    topic = Topic("Avro", record(f=["null", "string"]))
    wider = record(f=["null", "string", "long"])
    topic.registry.add(wider)
    assert topic.decoder.row(written_by(wider, {"f": "a"}, 2)) == Row({"f": "a"})
    outcome = topic.decoder.row(written_by(wider, {"f": 5}, 2))
    assert isinstance(outcome, Refused)
    assert outcome.error.startswith("field f the writer's schema cannot be resolved: ")


def test_a_writers_schema_may_refer_to_others() -> None:
    topic = Topic("Avro", record(f=ENUM))
    topic.registry.add(record(f="Colour"), references=['{"type":"enum","name":"Colour","symbols":["RED","BLUE"]}'])
    assert topic.decoder.row(render_prefix(2) + b"\x02") == Row({"f": "BLUE"})
