"""What readers of a topic hold: bytes in, a row or the JSON form out, or why neither. One per topic, made once.

    decoder_of(schema, columns, registry) → Decoder
        .row(value)   → Row | Tombstone | Refused          (loader)
        .form(value)  → the JSON form, parsed | Refused    (lookups, views, `tail`)
        .text(value)  → the JSON form's bytes | Refused    (the gateway's reads: a JSON record's own bytes)

All raise RegistryAwayError, and nothing else, when an id has to be looked up and the registry is away.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import orjson

from headrace.core.columns import Column
from headrace.core.documents import SchemaRef
from headrace_apps.records.avro import AvroDecoder
from headrace_apps.records.json_rows import RowFitter
from headrace_apps.records.outcome import TOMBSTONE, Outcome, Refused, Row, UnfitError
from headrace_apps.records.protobuf import ProtobufDecoder
from headrace_apps.records.registry import Registry, UnknownSchemaError
from headrace_apps.records.strict_json import parse_strict
from headrace_apps.records.wire import PREFIX, parse_prefix

Json = dict[str, Any]


class Decoder(Protocol):
    """For any number of threads."""

    may_wait: bool
    """Whether a call may ask the registry, and so should not be made in an event loop."""

    def row(self, value: bytes | None) -> Outcome: ...

    def form(self, value: bytes) -> Json | Refused: ...

    def text(self, value: bytes) -> bytes | Refused: ...


class JsonDecoder:
    """Plain JSON, and JSON behind the registry's prefix."""

    def __init__(self, columns: Sequence[Column], subject: str = "", registry: Registry | None = None) -> None:
        self._rows = RowFitter(columns)
        self._subject = subject
        self._registry = registry
        self.may_wait = registry is not None

    def row(self, value: bytes | None) -> Outcome:
        if value is None:
            return TOMBSTONE
        try:
            return Row(self._rows.fit(parse_strict(self._plain(value))))
        except UnfitError as error:
            return Refused(error.line)
        except ValueError as error:  # of the text, or of the id before it
            return Refused(f"the value {error}")

    def form(self, value: bytes) -> Json | Refused:
        try:
            document = parse_strict(self._plain(value))
        except UnfitError as error:
            return Refused(error.line)
        except ValueError as error:
            return Refused(f"the value {error}")
        return document if type(document) is dict else Refused("the value is not an object")

    def text(self, value: bytes) -> bytes | Refused:
        """Only that it is JSON is checked: readers see what is stored, whatever it is."""
        try:
            plain = self._plain(value)
            orjson.loads(plain)
        except UnfitError as error:
            return Refused(error.line)
        except orjson.JSONDecodeError as error:
            return Refused(f"the value is not JSON: {error}")
        except UnknownSchemaError as error:
            return Refused(f"the value {error}")
        return plain

    def _plain(self, value: bytes) -> bytes:
        """Raises UnfitError, UnknownSchemaError."""
        if not value or value[0] != 0:
            return value
        schema_id = parse_prefix(value)
        if self._registry is None:
            raise UnfitError("the value has a schema id before it, and no registry is declared to look it up in")
        self._registry.writer(self._subject, schema_id)
        return value[PREFIX:]


def decoder_of(schema: SchemaRef | None, columns: Sequence[Column], registry: Registry | None) -> Decoder:
    """The topic's decoder. Raises ValueError for a schema that cannot be used, and for one that needs a registry where
    there is none."""
    if schema is None or schema.format == "JSON":
        return JsonDecoder(columns, schema.subject if schema else "", registry)
    if registry is None:
        raise ValueError(f"{schema.subject} is {schema.format}: the document needs a registry")
    return (AvroDecoder if schema.format == "Avro" else ProtobufDecoder)(schema, columns, registry)
