"""What an API server does with an object by its CRD's schema: drop nulls, fill in defaults, refuse. Pure.

`admit(schema, value)` follows the rules of structural schemas as Kubernetes documents them, with strict field
validation (an unknown field is an error, as `kubectl apply` asks). It stands in for an API server in tests without one,
for the neighbours' CRDs too. CEL is not run here.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

PRESERVE = "x-kubernetes-preserve-unknown-fields"


def admit(schema: Mapping[str, Any], value: Any) -> tuple[Any, list[str]]:
    """What would be stored, and every reason to refuse it, each with its path."""
    stored = _defaulted(schema, copy.deepcopy(value))
    return stored, list(_errors(schema, stored, ""))


def _defaulted(schema: Mapping[str, Any], value: Any) -> Any:
    """A null where none may be is as good as absent; then defaults, from the outside in."""
    if isinstance(value, dict):
        fields: Mapping[str, Any] = schema.get("properties", {})
        for name, field in fields.items():
            if name in value and value[name] is None and not field.get("nullable"):
                del value[name]
            if name not in value and "default" in field:
                value[name] = copy.deepcopy(field["default"])
        others = schema.get("additionalProperties")
        for name in value:
            inner = fields.get(name, others if isinstance(others, dict) else {})
            value[name] = _defaulted(inner, value[name])
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        return [_defaulted(schema["items"], item) for item in value]
    elif isinstance(value, float) and schema.get("type") == "integer" and value.is_integer():
        return int(value)  # the server's JSON knows no 6.0
    return value


def _errors(schema: Mapping[str, Any], value: Any, path: str) -> Iterator[str]:
    if value is None:
        if not schema.get("nullable"):
            yield f"{path}: is null"
        return
    if schema.get("x-kubernetes-int-or-string"):
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            yield f"{path}: is neither a whole number nor a string"
        return
    expected = schema.get("type")
    if expected is not None and not _is(value, expected):
        yield f"{path}: is no {expected}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path}: is none of {schema['enum']}"
    match value:
        case str():
            yield from _text_errors(schema, value, path)
        case bool():
            pass
        case int() | float():
            yield from _bounds(schema, "minimum", "maximum", value, path)
        case list():
            yield from _list_errors(schema, value, path)
        case dict():
            yield from _object_errors(schema, value, path)


def _is(value: Any, expected: str) -> bool:
    match expected:
        case "object":
            return isinstance(value, dict)
        case "array":
            return isinstance(value, list)
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return not isinstance(value, bool) and (
                isinstance(value, int) or (isinstance(value, float) and value.is_integer())
            )
        case _:
            return not isinstance(value, bool) and isinstance(value, (int, float)) and math.isfinite(value)


def _bounds(schema: Mapping[str, Any], least: str, most: str, amount: float, path: str) -> Iterator[str]:
    if least in schema and amount < schema[least]:
        yield f"{path}: {amount} is below {least} {schema[least]}"
    if most in schema and amount > schema[most]:
        yield f"{path}: {amount} is above {most} {schema[most]}"


def _text_errors(schema: Mapping[str, Any], text: str, path: str) -> Iterator[str]:
    yield from _bounds(schema, "minLength", "maxLength", len(text), path)
    # Go's `$` is the end of the text; Python's would let a line feed follow.
    pattern = schema.get("pattern", "")
    if pattern and not re.search(re.sub(r"(?<!\\)\$$", r"\\Z", pattern), text):
        yield f"{path}: does not match {pattern}"


def _list_errors(schema: Mapping[str, Any], items: list[Any], path: str) -> Iterator[str]:
    yield from _bounds(schema, "minItems", "maxItems", len(items), path)
    kind = schema.get("x-kubernetes-list-type")
    if kind == "set" and len({repr(item) for item in items}) < len(items):
        yield f"{path}: names an entry twice"
    if kind == "map":
        keys = schema["x-kubernetes-list-map-keys"]
        seen = [tuple(repr(item.get(key)) for key in keys) for item in items if isinstance(item, dict)]
        if len(set(seen)) < len(seen):
            yield f"{path}: has two entries of one {', '.join(keys)}"
    for index, item in enumerate(items):
        yield from _errors(schema.get("items", {PRESERVE: True}), item, f"{path}[{index}]")


def _object_errors(schema: Mapping[str, Any], fields: dict[str, Any], path: str) -> Iterator[str]:
    yield from _bounds(schema, "minProperties", "maxProperties", len(fields), path)
    for name in schema.get("required", ()):
        if name not in fields:
            yield f"{path}.{name}: is required"
    known: Mapping[str, Any] = schema.get("properties", {})
    others = schema.get("additionalProperties")
    for name, value in fields.items():
        if name in known:
            yield from _errors(known[name], value, f"{path}.{name}")
        elif isinstance(others, dict):
            yield from _errors(others, value, f"{path}.{name}")
        # The object's own metadata is Kubernetes', whatever a CRD says of it.
        elif not schema.get(PRESERVE) and others is not True and path != ".metadata":
            yield f"{path}.{name}: is not a field here"
