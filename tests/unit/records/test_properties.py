"""Whatever the schema and the record: what is written is read again, and any bytes are a row or a refusal."""

from __future__ import annotations

import base64
import io
from typing import Any

import fastavro
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace_apps.records.avro_reader import reader_of
from headrace_apps.records.avro_schema import parse
from headrace_apps.records.outcome import Refused, Row
from headrace_apps.records.wire import render_prefix

from .paper_registry import Topic
from .test_protobuf import SCHEMA

bounded = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
int32, int64 = st.integers(-(2**31), 2**31 - 1), st.integers(-(2**63), 2**63 - 1)
doubles = st.floats(allow_nan=False, allow_infinity=False)
floats = st.floats(allow_nan=False, allow_infinity=False, width=32)
NAMES = ["a", "b", "c", "d", "e"]

# ------------------------------------------------------------- any Avro schema, held against fastavro

SINGLE: dict[str, st.SearchStrategy[Any]] = {
    "boolean": st.booleans(),
    "int": int32,
    "long": int64,
    "float": floats,
    "double": doubles,
    "bytes": st.binary(max_size=5),
    "string": texts,
}
PROMOTED = {"int": ["long", "double"], "long": ["double"], "float": ["double"], "string": ["bytes"]}


@st.composite
def avro_types(  # noqa: PLR0911 - a kind each
    draw: st.DrawFn, path: str, depth: int = 2
) -> tuple[Any, st.SearchStrategy[Any]]:
    """A type, with names that are its own, and its values as fastavro takes them."""
    kinds = ["single", "single", "single", "enum", "fixed", "null"] + (["array", "map", "record"] if depth else [])
    match draw(st.sampled_from(kinds)):
        case "enum":
            return {"type": "enum", "name": f"E{path}", "symbols": ["X", "Y", "Z"]}, st.sampled_from(["X", "Y", "Z"])
        case "fixed":
            return {"type": "fixed", "name": f"F{path}", "size": 3}, st.binary(min_size=3, max_size=3)
        case "null":
            name = draw(st.sampled_from(list(SINGLE)))
            return ["null", name], st.none() | SINGLE[name]
        case "array":
            name = draw(st.sampled_from(list(SINGLE)))
            return {"type": "array", "items": name}, st.lists(SINGLE[name], max_size=3)
        case "map":
            type_, values = draw(avro_types(f"{path}m", 0).filter(lambda found: not isinstance(found[0], list)))
            return {"type": "map", "values": type_}, st.dictionaries(texts, values, max_size=3)
        case "record":
            return draw(avro_records(path, depth - 1))
    name = draw(st.sampled_from(list(SINGLE)))
    return name, SINGLE[name]


@st.composite
def avro_records(draw: st.DrawFn, path: str = "", depth: int = 2) -> tuple[Any, st.SearchStrategy[Any]]:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
    types = {name: draw(avro_types(f"{path}{name}", depth)) for name in names}
    fields = [{"name": name, "type": type_} for name, (type_, _) in types.items()]
    values = st.fixed_dictionaries({name: values for name, (_, values) in types.items()})
    return {"type": "record", "name": f"R{path}", "fields": fields}, values


def form(value: Any) -> Any:
    """The JSON form of what fastavro reads."""
    match value:
        case bytes():
            return base64.b64encode(value).decode()
        case dict():
            return {name: form(item) for name, item in value.items() if item is not None}
        case list():
            return [form(item) for item in value]
    return value


def written(schema: Any, value: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return out.getvalue()


@bounded
@given(st.data())
def test_avro_is_read_as_fastavro_reads_it(data: st.DataObject) -> None:
    schema, values = data.draw(avro_records())
    value = data.draw(values)
    payload = written(schema, value)
    read = reader_of(parse(schema), parse(schema), row=False)
    assert read(payload, 0) == (form(value), len(payload))
    topic = Topic("Avro", schema)
    event = form(value)
    assert topic.encoder.encode(event) == payload
    assert topic.encoder.form(payload) == event
    assert isinstance(topic.decoder.row(render_prefix(1) + payload), Row)


@bounded
@given(st.data())
def test_avro_is_resolved_as_fastavro_resolves_it(data: st.DataObject) -> None:
    """Fields in another order, dropped, promoted, and new ones with a default."""
    schema, values = data.draw(avro_records())
    kept = data.draw(st.permutations(schema["fields"]).map(lambda fields: fields[: max(1, len(fields) - 1)]))
    fields = []
    for field in kept:
        types = [field["type"], *PROMOTED.get(str(field["type"]), [])]
        fields.append({"name": field["name"], "type": data.draw(st.sampled_from(types))})
    fields.insert(data.draw(st.integers(0, len(fields))), {"name": "new", "type": ["null", "long"], "default": None})
    fields.append({"name": "more", "type": {"type": "array", "items": "int"}, "default": [1, 2]})
    reader = {**schema, "fields": fields}
    payload = written(schema, data.draw(values))
    expected = fastavro.schemaless_reader(
        io.BytesIO(payload), fastavro.parse_schema(schema), fastavro.parse_schema(reader)
    )
    found, end = reader_of(parse(schema), parse(reader), row=False)(payload, 0)
    assert (found, end) == (form(expected), len(payload))
    assert list(found) == [field["name"] for field in fields if field["name"] in found]


# ------------------------------------------------------------------------- records with everything in them


def logical(type_: str, name: str, **more: Any) -> dict[str, Any]:
    return {"type": type_, "logicalType": name, **more}


EVERYTHING = {
    "type": "record",
    "name": "Everything",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "at", "type": logical("long", "timestamp-millis")},
        {"name": "price", "type": logical("bytes", "decimal", precision=9, scale=3)},
        {"name": "day", "type": ["null", logical("int", "date")]},
        {"name": "time", "type": logical("long", "time-micros")},
        {"name": "local", "type": logical("long", "local-timestamp-millis")},
        {"name": "any", "type": ["null", "boolean", "long", "string", {"type": "array", "items": "double"}]},
        {"name": "point", "type": {"type": "record", "name": "P", "fields": [{"name": "x", "type": "float"}]}},
        {"name": "tags", "type": {"type": "map", "values": {"type": "enum", "name": "E", "symbols": ["A", "B"]}}},
        {"name": "raw", "type": {"type": "fixed", "name": "F", "size": 2}},
    ],
}


def without_zeros(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


naive = st.datetimes().map(lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000))
instants = naive.map(lambda m: m.isoformat(timespec="milliseconds" if m.microsecond else "seconds") + "Z")
decimals = st.decimals(-999_999, 999_999, places=3).map(lambda d: f"{d:f}" if d else "0.000")
base64s = st.binary(max_size=4).map(lambda raw: base64.b64encode(raw).decode())
avro_events = st.fixed_dictionaries(
    {
        "id": texts,
        "at": instants,
        "price": decimals,
        "time": st.times().map(lambda t: without_zeros(t.isoformat())),
        "local": naive.map(lambda m: without_zeros(m.isoformat())),
        "point": st.fixed_dictionaries({"x": floats}),
        "tags": st.dictionaries(texts, st.sampled_from(["A", "B"]), max_size=3),
        "raw": st.binary(min_size=2, max_size=2).map(lambda raw: base64.b64encode(raw).decode()),
    },
    optional={
        "day": st.dates().map(lambda day: day.isoformat()),
        "any": st.booleans() | int64 | texts | st.lists(doubles, max_size=3),
    },
)
places = st.fixed_dictionaries({"x": int32}, optional={"label": texts})
json_values = st.recursive(
    st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
protobuf_events = st.fixed_dictionaries(
    {
        "id": texts,
        "at": instants,
        "places": st.dictionaries(texts, places, max_size=2),
        "names": st.dictionaries(int64.map(str), texts, max_size=2),
        "flags": st.dictionaries(st.sampled_from(["true", "false"]), floats),
        "path": st.lists(places, max_size=2),
        "deltas": st.lists(int32, max_size=3),
        "colour": st.sampled_from(["RED", "COLOUR_UNKNOWN", "5"]),
        "big": st.integers(0, 2**63 - 1),
        "small": st.integers(0, 2**32 - 1),
        "raw": base64s,
        "level2": doubles,
        "ok": st.booleans(),
    },
    optional={
        "took": st.sampled_from(["0s", "1.500s", "-0.000001s", "315576000000s"]),
        "level": doubles,
        "blob": base64s,
        "any": st.dictionaries(texts, json_values, max_size=3),
        "value": json_values,
        "maybe": int32,
        "device": texts,
        "inner": st.fixed_dictionaries({"n": int64}),
    },
)
AVRO = Topic("Avro", EVERYTHING)
PROTOBUF = Topic("Protobuf", SCHEMA, message="Reading", needed=["id", "at"])
topics_and_events = st.one_of(st.tuples(st.just(AVRO), avro_events), st.tuples(st.just(PROTOBUF), protobuf_events))


@bounded
@given(topics_and_events)
def test_what_is_encoded_is_decoded_the_same(found: tuple[Topic, dict[str, Any]]) -> None:
    topic, event = found
    value = topic.encode(event)
    assert topic.decoder.form(value) == event
    assert isinstance(topic.decoder.row(value), Row)


def decoded(topic: Topic, value: bytes) -> None:
    """One outcome, never another exception; and both ways of reading agree."""
    row, form_, text = topic.decoder.row(value), topic.decoder.form(value), topic.decoder.text(value)
    assert isinstance(row, Row | Refused)
    assert isinstance(row, Refused) == isinstance(form_, Refused) == isinstance(text, Refused)


@bounded
@given(st.sampled_from([AVRO, PROTOBUF]), st.binary(max_size=60), st.sampled_from([b"", render_prefix(1)]))
def test_any_bytes_are_a_row_or_refused(topic: Topic, value: bytes, before: bytes) -> None:
    decoded(topic, before + value)


@settings(bounded, max_examples=150)
@given(topics_and_events, st.data())
def test_a_record_that_was_damaged_is_a_row_or_refused(
    found: tuple[Topic, dict[str, Any]], data: st.DataObject
) -> None:
    topic, event = found
    value = bytearray(topic.encode(event))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(5, len(value) - 1))
        match data.draw(st.sampled_from(["flip", "cut", "insert", "drop"])):
            case "flip":
                value[at] ^= 1 << data.draw(st.integers(0, 7))
            case "cut":
                del value[max(at, 6) :]
            case "insert":
                value[at:at] = data.draw(st.binary(max_size=4))
            case "drop" if len(value) > 6:
                del value[at]
    decoded(topic, bytes(value))
