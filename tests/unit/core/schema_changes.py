"""Changes of schemas in three formats, and which field each breaks. For unit tests, and for the registry's own opinion."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Change:
    """`field` is None for a change that is compatible."""

    name: str
    format: Literal["JSON", "Avro", "Protobuf"]
    old: str
    new: str
    field: str | None
    level: str = "BACKWARD"


def json_object(properties: dict[str, Any], required: list[str] | None = None, *, closed: bool = False) -> str:
    schema: dict[str, Any] = {"type": "object", "properties": properties, "required": required or []}
    return json.dumps({**schema, "additionalProperties": False} if closed else schema)


def record(**fields: Any) -> str:
    """An Avro record; a field that is a pair has a default."""
    listed = [
        {"name": name, "type": type_[0], "default": type_[1]}
        if isinstance(type_, tuple)
        else {"name": name, "type": type_}
        for name, type_ in fields.items()
    ]
    return json.dumps({"type": "record", "name": "R", "fields": listed})


def message(body: str) -> str:
    return f'syntax = "proto3";\npackage p;\nmessage R {{ {body} }}\n'


TEXT, WHOLE, REAL = {"type": "string"}, {"type": "integer"}, {"type": "number"}
NESTED = {"type": "object", "properties": {"c": TEXT}}
E = {"type": "enum", "name": "E", "symbols": ["A", "B"]}
INNER = {"type": "record", "name": "I", "fields": [{"name": "x", "type": "int"}]}
INNER_TEXT = {"type": "record", "name": "I", "fields": [{"name": "x", "type": "string"}]}

CHANGES = [
    Change("json required", "JSON", json_object({"a": TEXT}), json_object({"a": TEXT}, ["a"]), "a"),
    Change("json type", "JSON", json_object({"a": TEXT}), json_object({"a": WHOLE}), "a"),
    Change(
        "json nested type",
        "JSON",
        json_object({"b": NESTED}),
        json_object({"b": {"type": "object", "properties": {"c": WHOLE}}}),
        "b.c",
    ),
    Change(
        "json items",
        "JSON",
        json_object({"b": {"type": "array", "items": TEXT}}),
        json_object({"b": {"type": "array", "items": WHOLE}}),
        "b[]",
    ),
    Change("json added to open", "JSON", json_object({"a": TEXT}), json_object({"a": TEXT, "z": TEXT}), "z"),
    Change(
        "json added to open, forward",
        "JSON",
        json_object({"a": TEXT}),
        json_object({"a": TEXT, "z": TEXT}),
        None,
        "FORWARD",
    ),
    Change(
        "json added to closed",
        "JSON",
        json_object({"a": TEXT}, closed=True),
        json_object({"a": TEXT, "z": TEXT}, closed=True),
        None,
    ),
    Change(
        "json removed from closed",
        "JSON",
        json_object({"a": TEXT, "z": TEXT}, closed=True),
        json_object({"a": TEXT}, closed=True),
        "z",
    ),
    Change(
        "json minimum", "JSON", json_object({"a": WHOLE}), json_object({"a": {"type": "integer", "minimum": 5}}), "a"
    ),
    Change("json widened", "JSON", json_object({"a": WHOLE}), json_object({"a": REAL}), None),
    Change("avro added", "Avro", record(a="string"), record(a="string", b="int"), "b"),
    Change("avro added with default", "Avro", record(a="string"), record(a="string", b=("int", 1)), None),
    Change("avro type", "Avro", record(b="int"), record(b="string"), "b"),
    Change("avro promoted", "Avro", record(b="int"), record(b="long"), None),
    Change("avro null taken away", "Avro", record(b=["null", "int"]), record(b="int"), "b"),
    Change("avro union widened", "Avro", record(b=["null", "int"]), record(b=["null", "int", "string"]), None),
    Change("avro symbol gone", "Avro", record(e=E), record(e={**E, "symbols": ["A"]}), "e"),
    Change("avro nested", "Avro", record(i=INNER), record(i=INNER_TEXT), "i.x"),
    Change("avro removed, forward", "Avro", record(a="string", b="int"), record(a="string"), "b", "FORWARD"),
    Change(
        "protobuf type", "Protobuf", message("string a = 1; int32 b = 2;"), message("string a = 1; string b = 2;"), "b"
    ),
    Change("protobuf added", "Protobuf", message("string a = 1;"), message("string a = 1; string b = 2;"), None),
    Change("protobuf removed", "Protobuf", message("string a = 1; int32 b = 2;"), message("string a = 1;"), "b"),
    Change(
        "protobuf removed and reserved",
        "Protobuf",
        message("string a = 1; int32 b = 2;"),
        message('string a = 1; reserved 2; reserved "b";'),
        None,
    ),
    Change(
        "protobuf number", "Protobuf", message("string a = 1; int32 b = 2;"), message("string a = 1; int32 b = 3;"), "b"
    ),
    Change(
        "protobuf name", "Protobuf", message("string a = 1; int32 b = 2;"), message("string a = 1; int32 c = 2;"), "b"
    ),
]
