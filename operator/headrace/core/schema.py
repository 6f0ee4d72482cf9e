"""A topic's JSON Schema: is it one, and which columns does it mean.

Pure: references stay inside the document, so reading a schema never reaches for a network or a file.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import jsonschema_rs

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
from headrace.core.problems import shorten

MAX_DEPTH = 16
MAX_COLUMNS = 1000
# A dialect that the library does not know would be fetched.
_DIALECT = re.compile(r"https?://json-schema\.org/(draft-0[4-7]|draft/2019-09|draft/2020-12)/schema#?")
# Columns that the job document adds beside the topic's own.
RESERVED = frozenset({"_outcome", "_error", "_raw", "_key", "_headers", "_partition", "_offset"})


class SchemaError(ValueError):
    """The definition is unusable; the text says why, for the person who wrote it."""


@dataclass(slots=True)
class _Reader:
    """`seen` counts subschemas over the whole definition: references can fan out to any number."""

    root: Mapping[str, Any]
    seen: int = 0

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
        self.seen += 1
        if self.seen > MAX_COLUMNS:
            raise SchemaError(f"comes to more than {MAX_COLUMNS} fields, references followed")
        if depth > MAX_DEPTH:
            raise SchemaError(f"{shorten(where)} is nested or refers to itself more than {MAX_DEPTH} levels deep")
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
        definition = json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
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
    columns = reader.columns(root, 0, "$")
    for column in columns:
        if column.name in RESERVED:
            raise SchemaError(f"names a field {column.name!r}, which Headrace keeps for itself")
        if not column.name.strip() or any(sign == ";" or ord(sign) < 32 for sign in column.name):
            # Flink's options list fields with ; between them.
            raise SchemaError(f"names a field {shorten(repr(column.name))}: empty, or with ; or a control character")
    return tuple(_as_event_time(c) if c.name == event_time_field else c for c in columns)


def identity(subject: str, definition: Mapping[str, Any]) -> str:
    """What the `headrace.schema` header carries: known without asking the registry, and never reused."""
    return f"{subject}/{hashlib.sha256(canonical(definition).encode()).hexdigest()[:16]}"


def canonical(definition: Mapping[str, Any]) -> str:
    """One text per schema, whatever its spacing and the order of its keys."""
    return json.dumps(definition, sort_keys=True, separators=(",", ":"))


def _as_event_time(column: Column) -> Column:
    """An integer event time is epoch milliseconds, and a timestamp to SQL."""
    return column.model_copy(update={"type": EPOCH_MILLIS}) if column.type.kind is Kind.BIGINT else column


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {shorten(twice)!r} is there twice")
    return mapping


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


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
