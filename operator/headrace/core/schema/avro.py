"""An Avro schema: is it one, and which columns does it mean (docs/reference/contracts.md, "Avro").

The specification: Apache Avro 1.12, "Schema Declaration". Names are followed here, because an error should say where;
what is left (defaults, symbols, the fine print) fastavro judges.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import fastavro

from headrace.core.columns import (
    BIGINT,
    BOOLEAN,
    BYTES,
    DATE,
    DOUBLE,
    JSON,
    STRING,
    TIMESTAMP,
    Column,
    ColumnType,
    Kind,
)
from headrace.core.problems import shorten
from headrace.core.schema.common import Bounds, SchemaError, as_columns, no_constant, no_duplicates

MAX_PRECISION = 38
"""Flink's and Snowflake's widest decimal."""

_PRIMITIVES = {
    "string": STRING,
    "int": BIGINT,
    "long": BIGINT,
    "float": DOUBLE,
    "double": DOUBLE,
    "boolean": BOOLEAN,
    "bytes": BYTES,
}
_TIMES = ("timestamp-millis", "timestamp-micros", "timestamp-nanos")
_LOGICAL = {
    **{("long", name): TIMESTAMP for name in _TIMES},
    **{("long", f"local-{name}"): STRING for name in _TIMES},
    ("int", "date"): DATE,
    ("int", "time-millis"): STRING,
    ("long", "time-micros"): STRING,
}
_NAMED = ("record", "error", "enum", "fixed")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def parse_definition(text: str) -> dict[str, Any]:
    """The Avro schema of a topic: a record, as parsed JSON. Raises SchemaError."""
    try:
        definition = json.loads(text, object_pairs_hook=no_duplicates, parse_constant=no_constant)
    except json.JSONDecodeError as error:
        raise SchemaError(f"is not JSON: {error.msg} in line {error.lineno} of the definition") from None
    except RecursionError:
        raise SchemaError("is nested too deeply") from None
    except ValueError as error:
        raise SchemaError(f"is not JSON: {shorten(str(error))}") from None
    if not isinstance(definition, dict) or definition.get("type") != "record":
        raise SchemaError('is no Avro record: it needs "type": "record", a "name" and "fields"; each field is a column')
    columns_of(definition, None)
    try:
        fastavro.parse_schema(definition, _write_hint=False)
    except Exception as error:  # the library raises whatever an odd schema makes it meet
        raise SchemaError(f"is not an Avro schema: {shorten(' '.join(str(error).split()), 300)}") from None
    return definition


def columns_of(definition: Mapping[str, Any], event_time_field: str | None) -> tuple[Column, ...]:
    """The row that an event is. Raises SchemaError."""
    row, _ = _Reader().type(definition, "", 0, "the record")
    return as_columns(row.fields or (), event_time_field)


class _Reader:
    """`named`: what each full name stands for, once it is complete; until then a use of it is a recursion."""

    def __init__(self) -> None:
        self._bounds = Bounds()
        self._named: dict[str, ColumnType | None] = {}

    def type(  # noqa: PLR0911 - one line per type reads best
        self, node: Any, namespace: str, depth: int, where: str
    ) -> tuple[ColumnType, bool]:
        """The column type of a schema, and whether null is a value of it."""
        self._bounds.enter(depth, where)
        match node:
            case str():
                return self._name(node, namespace, where), False
            case list():
                return self._union(node, namespace, depth, where)
            case {"type": "array", "items": items}:
                element, _ = self.type(items, namespace, depth + 1, f"{where}[]")
                return ColumnType(kind=Kind.ARRAY, element=element), False
            case {"type": "map", "values": values}:
                value, _ = self.type(values, namespace, depth + 1, f"{where}.*")
                return ColumnType(kind=Kind.MAP, value=value), False
            case {"type": str(kind)} if kind in _NAMED:
                return self._declaration(kind, node, namespace, depth, where), False
            case {"type": str(kind)} if kind in _PRIMITIVES:
                return _leaf(kind, node, where), False
            case {"type": inner}:
                return self.type(inner, namespace, depth + 1, where)
        raise SchemaError(f"{where} has no type that Avro knows: {shorten(json.dumps(node), 80)}")

    def _name(self, name: str, namespace: str, where: str) -> ColumnType:
        if name in _PRIMITIVES:
            return _PRIMITIVES[name]
        if name == "null":
            raise SchemaError(f'{where} could only ever be null: give it a type, as in ["null", "string"]')
        for full in (name, f"{namespace}.{name}"):
            if full in self._named:
                type_ = self._named[full]
                if type_ is None:
                    raise SchemaError(f"{where} is a {shorten(name)!r} inside a {shorten(name)!r}: a row cannot nest")
                self._count(type_, where)
                return type_
        raise SchemaError(f"{where} is a {shorten(name)!r}, which the definition does not declare before it")

    def _count(self, type_: ColumnType, where: str) -> None:
        """A name stands for all its fields again."""
        self._bounds.enter(0, where)
        for inner in (type_.element, type_.value, *(field.type for field in type_.fields or ())):
            if inner is not None:
                self._count(inner, where)

    def _union(self, branches: list[Any], namespace: str, depth: int, where: str) -> tuple[ColumnType, bool]:
        if any(isinstance(branch, list) for branch in branches):
            raise SchemaError(f"{where} has a union in a union, which Avro does not know")
        nullable = "null" in branches or {"type": "null"} in branches
        others = [branch for branch in branches if branch not in ("null", {"type": "null"})]
        if not others:
            raise SchemaError(f'{where} could only ever be null: give it a type, as in ["null", "string"]')
        kinds = [_kind(branch, namespace) for branch in branches]
        twice = next((kind for kind in kinds if kinds.count(kind) > 1), None)
        if twice is not None:
            raise SchemaError(f"{where} has {shorten(twice)!r} twice in its union, so a value could be either")
        types = [self.type(branch, namespace, depth + 1, where)[0] for branch in others]
        return (types[0] if len(types) == 1 else JSON), nullable

    def _declaration(self, kind: str, node: Mapping[str, Any], namespace: str, depth: int, where: str) -> ColumnType:
        name = node.get("name")
        if not isinstance(name, str) or not all(_NAME.fullmatch(part) for part in name.split(".")):
            raise SchemaError(f"{where} is of type {kind} and needs a name of letters, digits and _")
        own = node.get("namespace", namespace)
        if "." in name:
            own = name.rpartition(".")[0]
        if not isinstance(own, str):
            raise SchemaError(f"{where} has a namespace that is no text")
        full = f"{own}.{name.rpartition('.')[2]}" if own else name
        if full in self._named:
            raise SchemaError(f"{where} declares {shorten(full)!r} a second time: use its name instead")
        self._named[full] = None
        self._named[full] = type_ = self._named_type(kind, node, own, depth, where)
        return type_

    def _named_type(self, kind: str, node: Mapping[str, Any], namespace: str, depth: int, where: str) -> ColumnType:
        if kind == "enum":
            return STRING
        if kind == "fixed":
            return _leaf("bytes", node, where)
        fields = node.get("fields")
        if not isinstance(fields, list) or not fields:
            raise SchemaError(f'{where} needs "fields": a list with at least one')
        columns: dict[str, Column] = {}
        for field in fields:
            name = field.get("name") if isinstance(field, Mapping) else None
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise SchemaError(f"{where} has a field without a name of letters, digits and _")
            if name in columns:
                raise SchemaError(f"{where} has the field {shorten(name)!r} twice")
            if "type" not in field:
                raise SchemaError(f"{where}.{shorten(name)} has no type")
            here = name if depth == 0 else f"{where}.{name}"
            type_, nullable = self.type(field["type"], namespace, depth + 1, here)
            columns[name] = Column(name=name, type=type_, required=not nullable)
        return ColumnType(kind=Kind.ROW, fields=tuple(columns.values()))


def _kind(branch: Any, namespace: str) -> str:
    """What must differ between the branches of a union: a named type's name, else the type."""
    node = branch.get("type") if isinstance(branch, Mapping) else branch
    name = branch.get("name") if isinstance(branch, Mapping) and node in _NAMED else node
    simple = str(name)
    return simple if "." in simple or simple in _PRIMITIVES or not namespace else f"{namespace}.{simple}"


def _leaf(kind: str, node: Mapping[str, Any], where: str) -> ColumnType:
    """A primitive with its logical type; one that does not fit is ignored, as the specification asks."""
    logical = node.get("logicalType")
    if kind == "bytes" and logical == "decimal":
        precision, scale = node.get("precision"), node.get("scale", 0)
        if type(precision) is not int or type(scale) is not int or not 0 <= scale <= precision or precision < 1:
            raise SchemaError(f"{where} is a decimal and needs a precision above 0 and a scale of at most that")
        if precision > MAX_PRECISION:
            raise SchemaError(f"{where} is a decimal of {precision} digits; at most {MAX_PRECISION} can be kept")
        return ColumnType(kind=Kind.DECIMAL, precision=precision, scale=scale)
    return _LOGICAL.get((kind, logical), _PRIMITIVES[kind]) if isinstance(logical, str) else _PRIMITIVES[kind]
