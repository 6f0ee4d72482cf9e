"""A registry on paper: schemas by id, each of one subject; and topics to read and write through it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from headrace.core.columns import Column
from headrace.core.documents import SchemaRef
from headrace.core.schema import read_schema
from headrace_apps.records.decoder import Decoder, decoder_of
from headrace_apps.records.encoder import Encoder, encoder_of
from headrace_apps.records.registry import RegistryAwayError, UnknownSchemaError, WriterSchema
from headrace_apps.records.wire import render_prefix

SUBJECT = "p.t-value"


class PaperRegistry:
    """`away`: it does not answer. `asked` counts what it was asked for."""

    def __init__(self) -> None:
        self.schemas: dict[int, tuple[str, WriterSchema]] = {}
        self.away = False
        self.asked = 0

    def add(self, definition: Any, subject: str = SUBJECT, references: Sequence[str] = ()) -> int:
        text = definition if isinstance(definition, str) else json.dumps(definition)
        self.schemas[len(self.schemas) + 1] = (subject, WriterSchema(text, tuple(references)))
        return len(self.schemas)

    def writer(self, subject: str, schema_id: int) -> WriterSchema:
        self.asked += 1
        if self.away:
            raise RegistryAwayError("it is away")
        if schema_id not in self.schemas:
            raise UnknownSchemaError(f"has the schema id {schema_id}, which the registry does not know")
        owner, schema = self.schemas[schema_id]
        if owner != subject:
            raise UnknownSchemaError(f"has the schema id {schema_id}, which is of {owner}, not of {subject}")
        return schema

    def id_of(self, schema: SchemaRef) -> int | None:
        text = schema.definition if isinstance(schema.definition, str) else json.dumps(schema.definition)
        if self.away:
            raise RegistryAwayError("it is away")
        return next((i for i, (_, known) in self.schemas.items() if known.definition == text), None)


class Topic:
    """One topic's schema with its decoder and encoder; the schema is registered under `schema_id`."""

    def __init__(
        self,
        format_: Any,
        definition: Any,
        *,
        message: str | None = None,
        event_time: str | None = None,
        needed: Sequence[str] = (),
    ) -> None:
        text = definition if isinstance(definition, str) else json.dumps(definition)
        declared = read_schema(format_, text, message=message, event_time=event_time, needed=needed)
        self.columns: tuple[Column, ...] = declared.columns
        self.ref = SchemaRef(
            format=format_,
            subject=SUBJECT,
            identity=f"{SUBJECT}/0",
            definition=declared.definition,
            message=declared.message,
        )
        self.registry = PaperRegistry()
        self.schema_id = self.registry.add(declared.definition)
        self.decoder: Decoder = decoder_of(self.ref, self.columns, self.registry)
        encoder = encoder_of(self.ref, self.columns, needed)
        assert encoder is not None
        self.encoder: Encoder = encoder

    def encode(self, event: dict[str, Any]) -> bytes:
        """The whole value, as the gateway stores it."""
        return render_prefix(self.schema_id) + self.encoder.encode(event)
