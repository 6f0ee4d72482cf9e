"""Columns to the text of a schema: what `headrace schema infer` writes, ready to be pasted into a topic.

Pure, and the reverse of `headrace.core.schema`: reading the text again gives the same columns. `result_columns` turns
what Flink's planner told about a query into columns first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from headrace.core.columns import Column, ColumnType, Kind

Format = Literal["JSON", "Avro", "Protobuf"]

# Flink's type roots (LogicalTypeRoot) to kinds. A window's bounds are TIMESTAMP without a zone, in UTC as all is here.
_KINDS = {
    **dict.fromkeys(("CHAR", "VARCHAR"), Kind.STRING),
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT"), Kind.BIGINT),
    **dict.fromkeys(("FLOAT", "DOUBLE"), Kind.DOUBLE),
    **dict.fromkeys(("TIMESTAMP_WITHOUT_TIME_ZONE", "TIMESTAMP_WITH_LOCAL_TIME_ZONE"), Kind.TIMESTAMP),
    **dict.fromkeys(("BINARY", "VARBINARY"), Kind.BYTES),
    "BOOLEAN": Kind.BOOLEAN,
    "DATE": Kind.DATE,
}
_JSON: dict[Kind, dict[str, Any]] = {
    Kind.STRING: {"type": "string"},
    Kind.BIGINT: {"type": "integer"},
    Kind.DOUBLE: {"type": "number"},
    Kind.DECIMAL: {"type": "number"},
    Kind.BOOLEAN: {"type": "boolean"},
    Kind.TIMESTAMP: {"type": "string", "format": "date-time"},
    Kind.EPOCH_MILLIS: {"type": "integer"},
    Kind.DATE: {"type": "string", "format": "date"},
    Kind.JSON: {},
}
_AVRO: dict[Kind, Any] = {
    Kind.STRING: "string",
    Kind.JSON: "string",
    Kind.BIGINT: "long",
    Kind.DOUBLE: "double",
    Kind.BOOLEAN: "boolean",
    Kind.BYTES: "bytes",
    Kind.TIMESTAMP: {"type": "long", "logicalType": "timestamp-millis"},
    Kind.EPOCH_MILLIS: "long",
    Kind.DATE: {"type": "int", "logicalType": "date"},
}
_PROTO = {
    Kind.STRING: "string",
    Kind.JSON: "string",
    Kind.BIGINT: "int64",
    Kind.EPOCH_MILLIS: "int64",
    Kind.DOUBLE: "double",
    Kind.DECIMAL: "double",
    Kind.BOOLEAN: "bool",
    Kind.BYTES: "bytes",
    Kind.TIMESTAMP: "google.protobuf.Timestamp",
}


class NoSuchTypeError(ValueError):
    """A column has a type that the format cannot say; the text names both, and what to write instead."""


def result_columns(told: Sequence[Mapping[str, Any]]) -> tuple[Column, ...]:
    """The planner's `columns` (flink_jobs/headrace_flink/columns.py) as columns. Raises NoSuchTypeError."""
    return tuple(
        Column(name=column["name"], type=_column_type(column, column["name"]), required=not column["nullable"])
        for column in told
    )


def _column_type(told: Mapping[str, Any], where: str) -> ColumnType:
    root = told["root"]
    if root in _KINDS:
        return ColumnType(kind=_KINDS[root])
    if root == "DECIMAL":
        return ColumnType(kind=Kind.DECIMAL, precision=told["precision"], scale=told["scale"])
    if root == "ROW":
        return ColumnType(kind=Kind.ROW, fields=result_columns(told["fields"]))
    if root == "ARRAY":
        return ColumnType(kind=Kind.ARRAY, element=_column_type(told["parts"][0], where))
    if root == "MAP" and told["parts"][0]["root"] in ("CHAR", "VARCHAR"):
        return ColumnType(kind=Kind.MAP, value=_column_type(told["parts"][1], where))
    raise NoSuchTypeError(f"column {where!r} is {told['sql']}, which no record can carry: CAST it, say AS STRING")


def schema_text(columns: Sequence[Column], format_: Format, name: str) -> str:
    """The definition, with a newline at its end. `name` is the topic's; records and messages are named after it.

    Raises NoSuchTypeError.
    """
    match format_:
        case "JSON":
            return json.dumps(_json_object(columns), indent=2) + "\n"
        case "Avro":
            return json.dumps(_avro_record(columns, camel(name), ""), indent=2) + "\n"
        case "Protobuf":
            return _proto_file(columns, camel(name))


def camel(name: str) -> str:
    """`page_views` → `PageViews`."""
    words = "".join(sign if sign.isascii() and sign.isalnum() else " " for sign in name).split()
    text = "".join(word[:1].upper() + word[1:] for word in words)
    return text if text[:1].isalpha() else f"Record{text}"


def _json_object(columns: Sequence[Column]) -> dict[str, Any]:
    required = [column.name for column in columns if column.required]
    properties = {column.name: _json(column.type, column.name) for column in columns}
    return {"type": "object", **({"required": required} if required else {}), "properties": properties}


def _json(type_: ColumnType, where: str) -> dict[str, Any]:
    if type_.fields is not None:
        return _json_object(type_.fields)
    if type_.element is not None:
        return {"type": "array", "items": _json(type_.element, where)}
    if type_.value is not None:
        return {"type": "object", "additionalProperties": _json(type_.value, where)}
    if type_.kind not in _JSON:
        raise NoSuchTypeError(f"column {where!r} is {type_.sql}, which JSON has no type for: TO_BASE64 makes it text")
    return dict(_JSON[type_.kind])


def _avro_record(columns: Sequence[Column], name: str, path: str) -> dict[str, Any]:
    fields = []
    for column in columns:
        type_ = _avro(column.type, f"{path}{name}{camel(column.name)}")
        null = {"default": None}
        fields.append(
            {"name": column.name, "type": type_}
            if column.required
            else {"name": column.name, "type": ["null", type_], **null}
        )
    return {"type": "record", "name": f"{path}{name}", "fields": fields}


def _avro(type_: ColumnType, path: str) -> Any:
    """`path` names a nested record: Avro wants each name once."""
    if type_.fields is not None:
        return _avro_record(type_.fields, path, "")
    if type_.element is not None:
        return {"type": "array", "items": _avro(type_.element, path)}
    if type_.value is not None:
        return {"type": "map", "values": _avro(type_.value, path)}
    if type_.kind is Kind.DECIMAL:
        return {"type": "bytes", "logicalType": "decimal", "precision": type_.precision, "scale": type_.scale}
    return _AVRO[type_.kind]


def _proto_file(columns: Sequence[Column], name: str) -> str:
    message = _proto_message(columns, name, "")
    imports = 'import "google/protobuf/timestamp.proto";\n\n' if "google.protobuf.Timestamp" in message else ""
    return f'syntax = "proto3";\n\n{imports}{message}'


def _proto_message(columns: Sequence[Column], name: str, indent: str) -> str:
    inner: list[str] = []
    lines = []
    for number, column in enumerate(columns, 1):
        type_, repeated = _proto(column.type, column.name, indent + "  ", inner)
        # A message has presence anyway, repeated fields and maps have none.
        plain = not repeated and column.type.kind in _PROTO and column.type.kind is not Kind.TIMESTAMP
        label = "optional " if plain and not column.required else ""
        lines.append(f"{indent}  {label}{type_} {column.name} = {number};\n")
    return f"{indent}message {name} {{\n{''.join(inner)}{''.join(lines)}{indent}}}\n"


def _proto(type_: ColumnType, name: str, indent: str, inner: list[str]) -> tuple[str, bool]:
    """The type's text, and whether it is one that repeats; messages that it needs are put into `inner`."""
    if type_.fields is not None:
        inner.append(_proto_message(type_.fields, camel(name), indent))
        return camel(name), False
    if type_.element is not None and not (type_.element.element or type_.element.value):
        return f"repeated {_proto(type_.element, name, indent, inner)[0]}", True
    if type_.value is not None and not (type_.value.element or type_.value.value):
        return f"map<string, {_proto(type_.value, name, indent, inner)[0]}>", True
    if type_.kind not in _PROTO:
        raise NoSuchTypeError(f"column {name!r} is {type_.sql}, which Protobuf has no type for: CAST it AS STRING")
    return _PROTO[type_.kind], False
