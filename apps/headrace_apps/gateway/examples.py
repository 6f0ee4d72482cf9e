"""An example event from a topic's schema, for the OpenAPI page. Pure; the schema's own examples win."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MAX_DEPTH = 8

_FORMATS = {
    "date-time": "2026-11-22T19:01:00Z",
    "date": "2026-11-22",
    "time": "19:01:00Z",
    "duration": "PT1M",
    "uuid": "0f3c8e0a-3a39-4d55-8dd9-2b1a5c3e7f10",
    "email": "someone@example.com",
    "uri": "https://example.com/",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
}


def example_of(schema: Any, root: Mapping[str, Any], depth: int = 0) -> Any:  # noqa: PLR0911, PLR0912 - a case per line
    """A value that fits the usual schemas; what only a solver could satisfy (patterns, `not`) may not fit."""
    if not isinstance(schema, Mapping) or depth > MAX_DEPTH:
        return None
    if isinstance(examples := schema.get("examples"), list) and examples:
        return examples[0]
    for keyword in ("const", "default"):
        if keyword in schema:
            return schema[keyword]
    if isinstance(enum := schema.get("enum"), list) and enum:
        return enum[0]
    if isinstance(reference := schema.get("$ref"), str):
        return example_of(_resolve(reference, root), root, depth + 1)
    for keyword in ("anyOf", "oneOf"):
        if isinstance(choices := schema.get(keyword), list) and choices:
            return example_of(choices[0], root, depth + 1)
    types = schema.get("type")
    kind = next((t for t in types if t != "null"), "null") if isinstance(types, list) else types
    match kind:
        case "object":
            properties = schema.get("properties", {})
            made = {name: example_of(child, root, depth + 1) for name, child in properties.items()}
            return _apart(made, schema.get("allOf", ()))
        case "array":
            item = example_of(schema.get("items"), root, depth + 1)
            return [] if item is None else [item] * max(1, min(5, schema.get("minItems", 1)))
        case "string":
            text = _FORMATS.get(schema.get("format", ""), "text")
            return text.ljust(min(1000, schema.get("minLength", 0)), "x")[: schema.get("maxLength", 1000)]
        case "integer" | "number":
            if "exclusiveMinimum" in schema:
                return schema["exclusiveMinimum"] + 1
            return schema.get("minimum", min(1, schema.get("maximum", 1)))
        case "boolean":
            return True
    return None


def _apart(made: dict[str, Any], rules: Any) -> dict[str, Any]:
    """Of members that exclude each other (a `oneof`'s) the first."""
    for rule in rules if isinstance(rules, list) else ():
        pair = rule.get("not", {}).get("required", []) if isinstance(rule, Mapping) else []
        if len(pair) == 2 and all(name in made for name in pair):
            del made[pair[1]]
    return made


def _resolve(reference: str, root: Mapping[str, Any]) -> Any:
    node: Any = root
    for part in reference.removeprefix("#").strip("/").split("/") if reference not in ("#", "") else ():
        node = node.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(node, Mapping) else None
    return node
