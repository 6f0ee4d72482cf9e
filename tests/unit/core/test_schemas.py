"""Schemas in Avro and Protobuf: the columns they mean, and how each refusal reads."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core.schema import Declared, SchemaError, canonical, canonical_text, identity, read_schema


def avro(*fields: dict[str, Any], **more: Any) -> str:
    return json.dumps({"type": "record", "name": "R", "namespace": "a.b", "fields": list(fields), **more})


def field(name: str, type_: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": type_, **more}


def read_avro(text: str, event_time: str | None = None) -> Declared:
    return read_schema("Avro", text, message=None, event_time=event_time, needed=())


def proto(body: str) -> str:
    return f'syntax = "proto3";\npackage x;\nimport "google/protobuf/timestamp.proto";\nimport "google/protobuf/struct.proto";\nimport "google/protobuf/wrappers.proto";\nimport "google/protobuf/any.proto";\n{body}'


def read_proto(
    text: str, message: str | None = None, event_time: str | None = None, needed: tuple[str, ...] = ()
) -> Declared:
    return read_schema("Protobuf", text, message=message, event_time=event_time, needed=needed)


def columns(declared: Declared) -> list[str]:
    """`name type`, with ! for a field that is in every event."""
    return [f"{column.name} {column.type.sql}{'!' if column.required else ''}" for column in declared.columns]


LEVEL = {"type": "enum", "name": "Level", "symbols": ["LOW", "HIGH"]}
POINT = {"type": "record", "name": "Point", "fields": [field("x", "double"), field("y", ["null", "double"])]}


@pytest.mark.parametrize(
    ("type_", "column"),
    [
        ("string", "STRING!"),
        ("int", "BIGINT!"),
        ("long", "BIGINT!"),
        ("float", "DOUBLE!"),
        ("double", "DOUBLE!"),
        ("boolean", "BOOLEAN!"),
        ("bytes", "BYTES!"),
        (["null", "string"], "STRING"),
        (["string", "null"], "STRING"),
        (["null", "string", "long"], "STRING"),
        (["string", "long"], "STRING!"),
        (LEVEL, "STRING!"),
        ({"type": "fixed", "name": "F", "size": 4}, "BYTES!"),
        ({"type": "long", "logicalType": "timestamp-millis"}, "TIMESTAMP_LTZ(3)!"),
        ({"type": "long", "logicalType": "timestamp-micros"}, "TIMESTAMP_LTZ(3)!"),
        ({"type": "long", "logicalType": "local-timestamp-millis"}, "STRING!"),
        ({"type": "int", "logicalType": "date"}, "DATE!"),
        ({"type": "int", "logicalType": "time-millis"}, "STRING!"),
        ({"type": "string", "logicalType": "uuid"}, "STRING!"),
        ({"type": "string", "logicalType": "timestamp-millis"}, "STRING!"),  # does not fit, so it is not there
        ({"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}, "DECIMAL(12, 2)!"),
        ({"type": "array", "items": POINT}, "ARRAY<ROW<`x` DOUBLE, `y` DOUBLE>>!"),
        ({"type": "map", "values": "long"}, "MAP<STRING, BIGINT>!"),
    ],
)
def test_avro_types_become_columns(type_: Any, column: str) -> None:
    assert columns(read_avro(avro(field("f", type_)))) == [f"f {column}"]


def test_an_avro_name_stands_for_what_it_named() -> None:
    declared = read_avro(avro(field("a", POINT), field("b", ["null", "a.b.Point"]), field("c", "Point")))
    point = "ROW<`x` DOUBLE, `y` DOUBLE>"
    assert columns(declared) == [f"a {point}!", f"b {point}", f"c {point}!"]


def test_an_integer_event_time_is_epoch_milliseconds() -> None:
    assert columns(read_avro(avro(field("at", "long")), event_time="at")) == ["at TIMESTAMP_LTZ(3)!"]
    assert columns(read_proto(proto("message A { int64 at = 1; }"), event_time="at")) == ["at TIMESTAMP_LTZ(3)!"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "is not JSON"),
        ("[]", "is no Avro record"),
        ('"string"', "is no Avro record"),
        ('{"type": "record", "name": "R", "name": "S", "fields": []}', "the key 'name' is there twice"),
        (avro(), 'needs "fields": a list with at least one'),
        (avro(field("a", "strin")), "a is a 'strin', which the definition does not declare before it"),
        (avro(field("a", "null")), "a could only ever be null"),
        (avro(field("a", ["null"])), "a could only ever be null"),
        (avro(field("a", [["string"]])), "a has a union in a union"),
        (avro(field("a", ["null", "string", "string"])), "a has 'string' twice in its union"),
        (avro(field("a", "string"), field("a", "string")), "has the field 'a' twice"),
        (avro({"name": "a"}), "the record.a has no type"),
        (avro(field("a-b", "string")), "a field without a name of letters, digits and _"),
        (avro(field("_raw", "string")), "'_raw', which Headrace keeps for itself"),
        (
            avro(field("a", {"type": "record", "name": "N", "fields": [field("n", ["null", "N"])]})),
            "a.n is a 'N' inside a 'N'",
        ),
        (avro(field("a", LEVEL), field("b", LEVEL)), "b declares 'a.b.Level' a second time: use its name instead"),
        (avro(field("a", {"type": "enum", "name": "E", "symbols": ["1x"]})), "is not an Avro schema"),
        (avro(field("a", "long", default="x")), "is not an Avro schema"),
        (avro(field("a", {"type": "bytes", "logicalType": "decimal", "precision": 50})), "at most 38 can be kept"),
        (avro(field("a", {"type": "bytes", "logicalType": "decimal"})), "needs a precision above 0"),
        (avro(*(field(f"f{n}", "long") for n in range(1001))), "comes to more than 1000 fields"),
    ],
)
def test_a_wrong_avro_schema_says_where(text: str, problem: str) -> None:
    with pytest.raises(SchemaError) as error:
        read_avro(text)
    assert problem in str(error.value)


def test_names_that_fan_out_are_counted() -> None:
    """Each record holds the one before ten times: a few lines that would come to a million columns."""
    types: list[dict[str, Any]] = [field("r0", {"type": "record", "name": "R0", "fields": [field("f", "long")]})]
    for n in range(1, 7):
        fields = [field(f"f{k}", f"R{n - 1}") for k in range(10)]
        types.append(field(f"r{n}", {"type": "record", "name": f"R{n}", "fields": fields}))
    with pytest.raises(SchemaError, match="more than 1000 fields"):
        read_avro(avro(*types))


PROTO = proto(
    """
    message Sale {
      string id = 1;
      google.protobuf.Timestamp at = 2;
      oneof payment { Card card = 3; string iban = 4; }
      map<string, double> rates = 5;
      Kind kind = 6;
      repeated Line lines = 7;
      optional uint64 points = 8;
      google.protobuf.Struct extra = 9;
      google.protobuf.Int32Value rating = 10;
      bytes seal = 11;
      float weight = 12;
      enum Kind { UNKNOWN = 0; ONLINE = 1; }
      message Line { string sku = 1; sint32 pieces = 2; }
    }
    message Card { string last4 = 1; }
    """
)


def test_protobuf_types_become_columns() -> None:
    assert columns(read_proto(PROTO)) == [
        "id STRING!",
        "at TIMESTAMP_LTZ(3)",
        "card ROW<`last4` STRING>",
        "iban STRING",
        "rates MAP<STRING, DOUBLE>!",
        "kind STRING!",
        "lines ARRAY<ROW<`sku` STRING, `pieces` BIGINT>>!",
        "points BIGINT",
        "extra STRING",
        "rating BIGINT",
        "seal BYTES!",
        "weight DOUBLE!",
    ]


def test_what_the_manifest_relies_on_is_required_of_protobuf_too() -> None:
    declared = read_proto(PROTO, needed=("at", "points"))
    assert {column.name for column in declared.columns if column.required} >= {"at", "points"}


@pytest.mark.parametrize(
    ("name", "full", "indexes"),
    [
        (None, "x.Sale", (0,)),
        ("Card", "x.Card", (1,)),
        ("x.Card", "x.Card", (1,)),
        ("Sale.Line", "x.Sale.Line", (0, 1)),
    ],
)
def test_the_message_is_found_by_its_name(name: str | None, full: str, indexes: tuple[int, ...]) -> None:
    message = read_proto(PROTO, name).message
    assert message is not None
    assert (message.name, message.indexes) == (full, indexes)


def test_descriptors_hold_all_that_a_decoder_needs() -> None:
    import base64

    message = read_proto(PROTO).message
    assert message is not None
    files = FileDescriptorSet.FromString(base64.b64decode(message.descriptors)).file
    assert files[-1].package == "x"
    assert "google/protobuf/timestamp.proto" in [file.name for file in files[:-1]]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", 'must begin with syntax = "proto3";'),
        ('syntax = "proto3";\nmessage A { string a = 1 }', 'Expected ";" in line 2 of the definition'),
        ('syntax = "proto3";\nmessage A {\n  strin a = 1;\n}', '"strin" is not defined in line 3 of the definition'),
        ('syntax = "proto3";\nimport "shop/a.proto";', "imports shop/a.proto: only google/protobuf/…"),
        ('syntax = "proto3";', "declares no message"),
        ('syntax = "proto3"; message A {}', "A is a message without fields"),
        ('syntax = "proto3"; message A { B b = 1; } message B { A a = 1; }', "b.a is a A inside a A"),
        ('syntax = "proto2"; message A { repeated group G = 1 { optional int32 x = 1; } }', "is a group"),
        (proto("message A {" + "".join(f"string f{n} = {n + 1};" for n in range(8000)) + "}"), "cannot be used"),
        (proto("message A { google.protobuf.Any any = 1; }"), "any is a google.protobuf.Any, which has no column type"),
        ('syntax = "proto3"; message A { string _raw = 1; }', "'_raw', which Headrace keeps for itself"),
    ],
)
def test_a_wrong_proto_file_says_where(text: str, problem: str) -> None:
    with pytest.raises(SchemaError) as error:
        read_proto(text)
    assert problem in str(error.value)


def test_an_unknown_message_is_answered_with_those_there_are() -> None:
    with pytest.raises(SchemaError, match=r"declares no message 'Sael'; it has x.Sale, x.Sale.Line, x.Card"):
        read_proto(PROTO, "Sael")


def test_a_schema_has_one_identity_whatever_its_spacing() -> None:
    tight, wide = avro(field("a", "long")), json.dumps(json.loads(avro(field("a", "long"))), indent=4)
    first, second = read_avro(tight).definition, read_avro(wide).definition
    assert identity("s", first) == identity("s", second)
    assert canonical_text(wide) == canonical(first)
    assert canonical_text(PROTO + "\n\n") == canonical(read_proto(PROTO).definition)


any_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["string", "record", "a.b.R", "long", "null"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "name",
                    "fields",
                    "items",
                    "values",
                    "symbols",
                    "size",
                    "default",
                    "logicalType",
                    "namespace",
                    "precision",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(
    fields=st.lists(st.fixed_dictionaries({"name": st.text(max_size=4) | st.just("a"), "type": any_json}), max_size=4)
)
@settings(max_examples=200)
def test_any_avro_is_columns_or_a_problem(fields: list[dict[str, Any]]) -> None:
    try:
        assert read_avro(avro(*fields)).columns
    except SchemaError as error:
        assert str(error)


@given(
    parts=st.lists(
        st.sampled_from(
            [
                'syntax = "proto3";',
                "message A {",
                "}",
                "string a = 1;",
                "B b = 2;",
                "enum E { X = 0; }",
                "map<string, A> m = 3;",
                "oneof o {",
                'import "x";',
                "\x00",
                "é",
                "repeated int32 r = 4;",
            ]
        )
        | st.text(max_size=5),
        max_size=12,
    )
)
@settings(max_examples=150)
def test_any_proto_file_is_columns_or_a_problem(parts: list[str]) -> None:
    try:
        assert read_proto('syntax = "proto3";\n' + "\n".join(parts)).columns
    except SchemaError as error:
        assert str(error)
