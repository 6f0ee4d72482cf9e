"""A wire model's JSON Schema as a structural schema: what Kubernetes takes for a CustomResourceDefinition.

Structural means: every node has one type, nothing is referred to, and logic (`anyOf`) holds no types. Optional fields
are not `nullable`: the API server drops a null there, which comes to what the models do with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

Node = dict[str, Any]

_KEPT = (
    "type", "format", "enum", "pattern", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems",
)  # fmt: skip


def structural(model: type[BaseModel]) -> Node:
    """The schema of the model, with its defaults; `{}` where a section's every field has one."""
    schema = model.model_json_schema(by_alias=True)
    return _node(schema, schema.get("$defs", {}))


def _node(given: Mapping[str, Any], defs: Mapping[str, Any]) -> Node:
    schema = _resolved(given, defs)
    node: Node = {}
    if description := _description(schema):
        node["description"] = description
    node |= {key: schema[key] for key in _KEPT if key in schema}
    if schema.get("default") is not None:
        node["default"] = schema["default"]
    if "type" not in schema:
        # Any scalar: a schema cannot list several types. No mapping and no list with something in it, at least.
        return node | {"x-kubernetes-preserve-unknown-fields": True, "maxProperties": 0, "maxItems": 0}
    if schema["type"] == "array":
        node["items"] = _node(schema["items"], defs)
    elif "properties" in schema:
        node["properties"] = {name: _node(field, defs) for name, field in schema["properties"].items()}
        if required := schema.get("required"):
            node["required"] = list(required)
        elif "default" not in node and _has_default(schema["properties"], defs):
            node["default"] = {}
    return node


def _resolved(given: Mapping[str, Any], defs: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema itself: references followed, `X or null` as X, with what stands beside them on top."""
    if "$ref" in given:
        target = _resolved(defs[given["$ref"].rsplit("/", 1)[1]], defs)
        return {**target, **{key: value for key, value in given.items() if key != "$ref"}}
    options = [option for option in given.get("anyOf", ()) if option != {"type": "null"}]
    if len(options) != 1:
        return given
    rest = {key: value for key, value in given.items() if key != "anyOf"}
    resolved = _resolved(options[0], defs)
    # Left out it means something else than an empty section, so `null` by default must not become `{}`.
    return {**resolved, **rest, "optional": True}


def _has_default(properties: Mapping[str, Any], defs: Mapping[str, Any]) -> bool:
    """Whether an empty section would be filled by the API server."""
    return any(_node(field, defs).get("default") is not None for field in properties.values())


def _description(schema: Mapping[str, Any]) -> str:
    examples = schema.get("examples")
    text = " ".join(schema.get("description", "").split())
    return f"{text} Example: {examples[0]}" if text and examples else text
