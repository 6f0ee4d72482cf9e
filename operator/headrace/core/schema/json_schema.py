"""A topic's JSON Schema: is it one, and which columns does it mean.

Pure: references stay inside the document, so reading a schema never reaches for a network or a file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import jsonschema_rs

from headrace.core.columns import (
    BIGINT,
    BOOLEAN,
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
from headrace.core.schema.common import MAX_DEPTH, Bounds, SchemaError, as_columns, no_constant, no_duplicates

# A dialect that the library does not know would be fetched.
_DIALECT = re.compile(r"https?://json-schema\.org/(draft-0[4-7]|draft/2019-09|draft/2020-12)/schema#?")


@dataclass(slots=True)
class _Reader:
    root: Mapping[str, Any]
    bounds: Bounds = field(default_factory=Bounds)

    def columns(self, node: Mapping[str, Any], depth: int, where: str) -> tuple[Column, ...]:
        properties = node["properties"]
        required = set(node.get("required", ()))
        columns = []
        for name, child in properties.items():
            type_, nullable = self.type(child, depth + 1, f"{where}.{name}")
            columns.append(Column(name=name, type=type_, required=name in required and not nullable))
        return tuple(columns)

    def type(self, node: Any, depth: int, where: str) -> tuple[ColumnType, bool]:
        """The column type of a subschema, and whether null is a value of it."""
        self.bounds.enter(depth, where)
        if not isinstance(node, Mapping):  # `true`: anything goes
            return JSON, True
        if "$ref" in node:
            return self.type(self.resolve(node["$ref"], where), depth + 1, where)
        types = node.get("type", ())
        types = {types} if isinstance(types, str) else set(types)
        nullable = "null" in types or not types
        types.discard("null")
        if types == {"integer", "number"}:
            types = {"number"}
        if len(types) != 1 or any(key in node for key in ("oneOf", "anyOf")):
            return JSON, nullable
        return self._one(types.pop(), node, depth, where), nullable

    def _one(  # noqa: PLR0911 - one line per type reads best
        self, name: str, node: Mapping[str, Any], depth: int, where: str
    ) -> ColumnType:
        match name:
            case "string":
                return {"date-time": TIMESTAMP, "date": DATE}.get(node.get("format", ""), STRING)
            case "integer":
                return BIGINT
            case "number":
                return DOUBLE
            case "boolean":
                return BOOLEAN
            case "array" if isinstance(node.get("items"), Mapping):
                element, _ = self.type(node["items"], depth + 1, f"{where}[]")
                return ColumnType(kind=Kind.ARRAY, element=element)
            case "object" if node.get("properties"):
                return ColumnType(kind=Kind.ROW, fields=self.columns(node, depth, where))
            case "object" if isinstance(node.get("additionalProperties"), Mapping):
                value, _ = self.type(node["additionalProperties"], depth + 1, f"{where}.*")
                return ColumnType(kind=Kind.MAP, value=value)
        return JSON

    def resolve(self, reference: str, where: str) -> Any:
        if reference != "#" and not reference.startswith("#/"):
            raise SchemaError(f"{where} refers to {shorten(reference)!r}: only #/… inside the definition is allowed")
        node: Any = self.root
        for part in reference[2:].split("/") if reference != "#" else ():
            key = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(node, Mapping) or key not in node:
                raise SchemaError(f"{where} refers to {shorten(reference)!r}, which is not in the definition")
            node = node[key]
        return node


def parse_definition(text: str) -> dict[str, Any]:
    """The JSON Schema of a topic. Raises SchemaError."""
    try:
        definition = json.loads(text, object_pairs_hook=no_duplicates, parse_constant=no_constant)
    except json.JSONDecodeError as error:
        raise SchemaError(f"is not JSON: {error.msg} in line {error.lineno} of the definition") from None
    except RecursionError:
        raise SchemaError("is nested too deeply") from None
    except ValueError as error:
        raise SchemaError(f"is not JSON: {shorten(str(error))}") from None
    if not isinstance(definition, dict):
        raise SchemaError("is not a JSON object")
    try:
        _refuse_remote(definition)
        jsonschema_rs.meta.validate(definition)
        jsonschema_rs.validator_for(definition, retriever=cast(Any, _no_retrieval))
    except jsonschema_rs.ValidationError as error:
        where = "/".join(str(part) for part in error.instance_path)
        raise SchemaError(f"is not a JSON Schema: {shorten(where)}: {shorten(error.message, 200)}") from None
    except (jsonschema_rs.ReferencingError, ValueError) as error:
        raise SchemaError(f"is not a JSON Schema: {shorten(str(error), 200)}") from None
    return definition


def columns_of(definition: Mapping[str, Any], event_time_field: str | None) -> tuple[Column, ...]:
    """The row that an event is (docs/reference/contracts.md, "Row semantics"). Raises SchemaError."""
    reader = _Reader(definition)
    root: Any = definition
    for _ in range(MAX_DEPTH):
        if not (isinstance(root, Mapping) and "$ref" in root):
            break
        root = reader.resolve(root["$ref"], "the top level")
    if not isinstance(root, Mapping) or root.get("type") != "object" or not root.get("properties"):
        raise SchemaError('needs "type": "object" and "properties" at its top level: each property is a column')
    return as_columns(reader.columns(root, 0, "$"), event_time_field)


def _no_retrieval(uri: str) -> object:
    raise ValueError(f"refers to {shorten(uri)!r}: only #/… inside the definition is allowed")


def _refuse_remote(definition: Any) -> None:
    """Fail early and clearly on references that leave the document, at any depth."""
    stack = [definition]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            for keyword in ("$ref", "$dynamicRef", "$recursiveRef"):
                target = node.get(keyword)
                if isinstance(target, str) and not target.startswith("#"):
                    _no_retrieval(target)
            dialect = node.get("$schema")
            if isinstance(dialect, str) and not _DIALECT.fullmatch(dialect):
                raise ValueError(f"$schema {shorten(dialect)!r} is no draft that is known here: leave it out")
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)
