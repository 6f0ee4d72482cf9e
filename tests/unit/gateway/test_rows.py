"""The gateway's promise to every job: what it accepts is a row. Held against the row semantics, stated plainly."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.columns import Column, ColumnType, Kind
from headrace.core.documents import GatewayDocument
from headrace.core.schema.json_schema import columns_of
from headrace_apps.gateway.limits import Limits
from headrace_apps.gateway.validation import Accepted, EventJudge, Refused
from headrace_apps.records.json_check import RowCheck, canonical_timestamp

from .conftest import make_document

# ------------------------------------------------------- the contract's table "Row semantics", in Python


class Malformed(Exception):  # noqa: N818
    pass


def strict(raw: bytes) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) != len(pairs):
            raise Malformed
        return dict(pairs)

    def refuse(_: str) -> Any:
        raise Malformed

    try:
        event = json.loads(
            raw.decode(), object_pairs_hook=unique, parse_constant=refuse, parse_float=Decimal, parse_int=Decimal
        )
    except ValueError:
        raise Malformed from None
    if not isinstance(event, dict):
        raise Malformed
    return event


def check_row(columns: tuple[Column, ...], event: dict[str, Any]) -> None:
    for column in columns:
        value = event.get(column.name)
        if value is None:
            if column.required:
                raise Malformed
        else:
            check_value(column.type, value)


def check_whole(value: Any) -> None:
    if not isinstance(value, Decimal) or value != value.to_integral_value() or not -(2**63) <= value < 2**63:
        raise Malformed


def check_value(column_type: ColumnType, value: Any) -> None:  # noqa: PLR0912 - the table has this many rows
    match column_type.kind:
        case Kind.STRING:
            fits = isinstance(value, str)
        case Kind.BIGINT | Kind.EPOCH_MILLIS:
            check_whole(value)
            return
        case Kind.DOUBLE:
            fits = isinstance(value, Decimal) and abs(float(value)) != float("inf")
        case Kind.BOOLEAN:
            fits = isinstance(value, bool)
        case Kind.TIMESTAMP:
            fits = isinstance(value, str) and is_rfc3339(value)
        case Kind.DATE:
            fits = isinstance(value, str) and is_date(value)
        case Kind.ARRAY:
            fits = isinstance(value, list)
            for item in value if fits else ():
                check_value(column_type.element, item)  # type: ignore[arg-type]
        case Kind.MAP:
            fits = isinstance(value, dict)
            for item in value.values() if fits else ():
                check_value(column_type.value, item)  # type: ignore[arg-type]
        case Kind.ROW:
            fits = isinstance(value, dict)
            if fits:
                check_row(column_type.fields or (), value)
        case Kind.JSON:
            fits = True
    if not fits:
        raise Malformed


def is_date(text: str) -> bool:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return False
    try:
        date(*map(int, text.split("-")))
    except ValueError:
        return False
    return True


def is_rfc3339(text: str) -> bool:
    found = re.fullmatch(
        r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]+)?([Zz]|[+-]([0-9]{2}):([0-9]{2}))",
        text,
    )
    if not found or not is_date(found[1]) or found[1] < "0001":
        return False
    hour, minute, second = int(found[2]), int(found[3]), int(found[4])
    offset_fits = found[7] is None or (int(found[7]) <= 23 and int(found[8]) <= 59)
    return hour <= 23 and minute <= 59 and second <= 60 and offset_fits


# ------------------------------------------------------------------------------------- schemas and events

LEAVES: list[dict[str, Any]] = [
    {"type": "string"},
    {"type": "string", "format": "date-time"},
    {"type": "string", "format": "date"},
    {"type": "integer"},
    {"type": "number"},
    {"type": "boolean"},
    {"type": ["string", "null"]},
    {"type": ["string", "integer"]},
    {},
]
NAMES = ["a", "b", "c", "when"]


def deeper(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(
        inner.map(lambda items: {"type": "array", "items": items}),
        inner.map(lambda values: {"type": "object", "additionalProperties": values}),
        objects_of(inner),
    )


def objects_of(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda properties, required: {"type": "object", "properties": properties, "required": required},
        st.dictionaries(st.sampled_from(NAMES), inner, min_size=1),
        st.lists(st.sampled_from(NAMES), unique=True),
    )


schemas = objects_of(st.recursive(st.sampled_from(LEAVES), deeper, max_leaves=5))

tokens = st.sampled_from(
    """ "" "x" "2026-11-22" "2026-02-30" "2026-11-22T19:01:00Z" "2026-11-22T19:01:00.123456789+01:00"
    "2026-11-22t19:01:00z" "2026-11-22T23:59:60Z" "2026-11-22T19:01:00" "0000-01-01T00:00:00Z" "0001-01-01T00:00:00+10:00"
    "9999-12-31T23:59:59-10:00" "2026-11-22T19:01:00+23:59" "20261122T190100Z" "2026-W47-7" 0 -1 1.0 1e3 1.5 -0 -0.0 1e2000
    9223372036854775807 9223372036854775808 -9223372036854775808 -9223372036854775809 9223372036854775807.0
    1.0000000000000000000000001 18446744073709551615 123456789012345678901234567890 1e308 1e-400 1795376545622
    true false null [] {} """.split()  # noqa: SIM905
)


def values_for(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    """JSON text that mostly has the schema's shape and often goes wrong in a leaf."""
    if "properties" in schema:
        shapes = {n: values_for(s) for n, s in schema["properties"].items()}
        members = st.fixed_dictionaries({}, optional=shapes) | st.fixed_dictionaries(shapes)
        whole = members.map(lambda m: "{" + ",".join(f'"{n}":{v}' for n, v in m.items()) + "}")
    elif "additionalProperties" in schema:
        pairs = st.lists(st.tuples(st.sampled_from(NAMES), values_for(schema["additionalProperties"])), max_size=3)
        whole = pairs.map(lambda m: "{" + ",".join(f'"{n}":{v}' for n, v in m) + "}")
    elif "items" in schema:
        whole = st.lists(values_for(schema["items"]), max_size=3).map(lambda v: "[" + ",".join(v) + "]")
    else:
        whole = tokens
    return whole if "items" in schema or "properties" in schema else whole | tokens


def judge_of(schema: dict[str, Any], event_time: str | None = None) -> tuple[EventJudge, tuple[Column, ...]]:
    columns = columns_of(schema, event_time)
    topic = {
        **make_document().topics[0].model_dump(by_alias=True),
        "keyFields": (),
        "schema": {"format": "JSON", "subject": "s", "identity": "s/1", "definition": schema},
        "columns": [c.model_dump() for c in columns],
        "eventTimeField": event_time,
    }
    document = GatewayDocument.model_validate({**make_document().model_dump(by_alias=True), "topics": [topic]})
    return EventJudge(document.topics[0], Limits()), columns


@given(st.data())
def test_what_the_gateway_accepts_is_never_malformed(data: st.DataObject) -> None:
    schema = data.draw(schemas)
    event_time = data.draw(st.sampled_from([None, *schema["properties"]]))
    judge, columns = judge_of(schema, event_time)
    raw = data.draw(values_for(schema)).encode()
    verdict = judge.judge(raw)
    if isinstance(verdict, Accepted):
        assert verdict.raw == raw
        check_row(columns, strict(raw))
    else:
        assert verdict.errors
        assert all(error.message for error in verdict.errors)


@pytest.mark.parametrize(
    "text", ["1", "-1", "1.0", "1e3", "-0", "9223372036854775807", "9223372036854775807.0", "10E-1"]
)
def test_a_whole_number_may_be_written_in_any_way(text: str) -> None:
    judge, _ = judge_of({"type": "object", "properties": {"a": {"type": "integer"}}})
    assert isinstance(judge.judge(b'{"a":%s}' % text.encode()), Accepted)


@pytest.mark.parametrize(
    "text", ["1.5", "9223372036854775808", "-9223372036854775809", "1.00000000000000000001", '"1"']
)
def test_what_is_no_64_bit_integer_is_refused(text: str) -> None:
    judge, _ = judge_of({"type": "object", "properties": {"a": {"type": "integer"}}})
    verdict = judge.judge(b'{"a":%s}' % text.encode())
    assert isinstance(verdict, Refused)
    assert verdict.errors[0].pointer == "/a"


def test_an_integer_event_time_is_epoch_milliseconds() -> None:
    judge, _ = judge_of({"type": "object", "properties": {"at": {"type": "integer"}}}, "at")
    assert isinstance(judge.judge(b'{"at":1795376545622}'), Accepted)
    assert isinstance(judge.judge(b'{"at":99999999999999999}'), Refused)
    assert isinstance(judge.judge(b'{"at":"2026-11-22T19:01:00Z"}'), Refused)


def test_a_schema_without_types_still_gives_rows() -> None:
    """A column says more than a schema may: the check by columns stands alone."""
    column = Column(name="n", type=ColumnType(kind=Kind.BIGINT), required=True)
    check = RowCheck([column])
    assert check.fits({"n": 1})
    for wrong in ({}, {"n": None}, {"n": "1"}, {"n": True}, {"n": 2**63}, {"n": [1]}):
        assert not check.fits(wrong)
        assert next(check.faults(wrong))[0] == ("n",)


moments = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001


@given(moments, st.integers(-18 * 60, 18 * 60))
def test_a_moment_has_one_spelling_in_a_key_whatever_its_offset(moment: datetime, minutes: int) -> None:
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    shifted = (moment + timedelta(minutes=minutes)).replace(tzinfo=None)
    sign = "-" if minutes < 0 else "+"
    text = shifted.isoformat() + f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    key = canonical_timestamp(text)
    assert key.endswith("Z")
    assert datetime.fromisoformat(key) == moment
    assert "." not in key or not key[:-1].endswith("0")
    millis = round((moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1))
    assert canonical_timestamp(millis) == key
