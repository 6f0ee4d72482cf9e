"""What the gateway's ingest of an Avro or Protobuf topic holds: events in the JSON form in, payloads out.

    encoder_of(schema, columns, needed) → Encoder      (None for JSON: an event is stored as it came)

The payload goes behind `wire.render_prefix(id)`, with the id that the registry has for exactly this schema.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from headrace.core.columns import Column
from headrace.core.documents import SchemaRef
from headrace_apps.records.avro import AvroEncoder
from headrace_apps.records.outcome import UnfitError
from headrace_apps.records.protobuf import ProtobufEncoder

Json = dict[str, Any]


class Encoder(Protocol):
    """Pure. Numbers where digits count must come exactly: `forms.InexactError` asks for `event_json.parse_exactly`."""

    form_schema: Json
    """The JSON Schema of the JSON form."""

    def encode(self, event: Json) -> bytes:
        """The payload. Raises UnfitError at the first field that does not fit."""

    def form(self, payload: bytes) -> Json:
        """The JSON form of what was encoded: one spelling for each value, as readers see it."""

    def faults(self, event: Json) -> Iterator[UnfitError]:
        """Each field that does not fit, the first fault of it."""


def encoder_of(schema: SchemaRef | None, columns: Sequence[Column], needed: Sequence[str] = ()) -> Encoder | None:
    """`needed`: fields that the topic relies on in every event. Raises ValueError for a schema that cannot be used."""
    if schema is None or schema.format == "JSON":
        return None
    return (AvroEncoder if schema.format == "Avro" else ProtobufEncoder)(schema, columns, needed)
