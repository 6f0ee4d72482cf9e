"""A topic's schema in one of three formats: is it one, which columns does it mean, what is its identity.

Pure; one module per format, each with `parse_definition` and `columns_of`. Nothing here reaches for a network.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from headrace.core.columns import Column
from headrace.core.documents import ProtobufMessage
from headrace.core.schema import avro, json_schema, protobuf
from headrace.core.schema.common import SchemaError

__all__ = ["Declared", "SchemaError", "canonical", "canonical_text", "identity", "read_schema"]

Format = Literal["JSON", "Avro", "Protobuf"]
Definition = Mapping[str, Any] | str


@dataclass(frozen=True, slots=True)
class Declared:
    """`definition`: parsed JSON, or the .proto file's text; `message` with Protobuf only."""

    definition: dict[str, Any] | str
    columns: tuple[Column, ...]
    message: ProtobufMessage | None = None


def read_schema(
    format_: Format, text: str, *, message: str | None, event_time: str | None, needed: Collection[str]
) -> Declared:
    """Raises SchemaError. `needed` are the fields that the topic relies on in every event (keys, id, event time):
    Protobuf has no way to say so, and the manifest does."""
    match format_:
        case "JSON":
            definition = json_schema.parse_definition(text)
            return Declared(definition, json_schema.columns_of(definition, event_time))
        case "Avro":
            definition = avro.parse_definition(text)
            return Declared(definition, avro.columns_of(definition, event_time))
        case "Protobuf":
            compiled = protobuf.parse_definition(text, message)
            columns = (
                column.model_copy(update={"required": True}) if column.name in needed else column
                for column in protobuf.columns_of(compiled.descriptor, event_time)
            )
            return Declared(text.strip() + "\n", tuple(columns), compiled.message)


def identity(subject: str, definition: Definition) -> str:
    """What the `headrace.schema` header carries: known without asking the registry, and never reused."""
    return f"{subject}/{hashlib.sha256(canonical(definition).encode()).hexdigest()[:16]}"


def canonical(definition: Definition) -> str:
    """One text per schema, whatever its spacing and the order of its keys; a .proto file is its own text."""
    if isinstance(definition, str):
        return definition.strip() + "\n"
    return json.dumps(definition, sort_keys=True, separators=(",", ":"))


def canonical_text(text: str) -> str:
    """The same of a schema as a registry gives it back."""
    try:
        definition = json.loads(text)
    except ValueError:
        definition = text
    return canonical(definition if isinstance(definition, dict) else text)
