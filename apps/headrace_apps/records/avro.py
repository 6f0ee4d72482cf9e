"""Avro in the registry's wire format: the topic's decoder and the gateway's encoder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import fastavro
import orjson

from headrace.core.columns import Column, Kind
from headrace.core.documents import SchemaRef
from headrace_apps.records.avro_bytes import Read
from headrace_apps.records.avro_reader import UnresolvableError, reader_of
from headrace_apps.records.avro_schema import Schema, parse
from headrace_apps.records.avro_writer import field_forms, form_schema, write_fields
from headrace_apps.records.outcome import TOMBSTONE, Outcome, Refused, Row, UnfitError
from headrace_apps.records.registry import Registry, UnknownSchemaError
from headrace_apps.records.wire import PREFIX, parse_prefix

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Readers:
    """Of one writer's schema."""

    row: Read
    form: Read


class AvroDecoder:
    """One topic's. The readers of a writer's schema are made when its id first comes. Raises ValueError for a schema
    that lacks a column."""

    may_wait = True

    def __init__(self, schema: SchemaRef, columns: Sequence[Column], registry: Registry) -> None:
        self._subject = schema.subject
        self._registry = registry
        self._own = parse(schema.definition)
        names = {field["name"] for field in self._own.root["fields"]}
        for column in columns:
            if column.name not in names:
                raise ValueError(f"the schema of {schema.subject} has no field {column.name}")
        self._names = [column.name for column in columns]
        self._required = [column.name for column in columns if column.required]
        self._epoch = [column.name for column in columns if column.type.kind is Kind.EPOCH_MILLIS]
        self._whole = len(names) == len(self._names)
        self._readers: dict[int, _Readers | Refused] = {}

    def row(self, value: bytes | None) -> Outcome:
        if value is None:
            return TOMBSTONE
        found = self._read(value, row=True)
        if isinstance(found, Refused):
            return found
        return Row(found if self._whole else {name: found[name] for name in self._names})

    def form(self, value: bytes) -> Json | Refused:
        return self._read(value, row=False)

    def text(self, value: bytes) -> bytes | Refused:
        found = self._read(value, row=False)
        return found if isinstance(found, Refused) else orjson.dumps(found)

    def _read(self, value: bytes, row: bool) -> Json | Refused:
        try:
            schema_id = parse_prefix(value)
            readers = self._readers.get(schema_id) or self._learn(schema_id)
            if isinstance(readers, Refused):
                return readers
            found, end = (readers.row if row else readers.form)(value, PREFIX)
            self._check(found, len(value) - end)
        except UnfitError as error:
            return Refused(error.line)
        except IndexError:
            return Refused("the value's bytes end too early")
        except UnknownSchemaError as error:  # not kept here: the registry may come to know it
            return Refused(f"the value {error}")
        return found  # type: ignore[no-any-return]

    def _check(self, found: Json, left: int) -> None:
        if left:
            raise UnfitError(f"the value goes on for {left} bytes after the record")
        for name in self._required:
            if found.get(name) is None:
                raise UnfitError("is required and is null or missing", (name,))

    def _learn(self, schema_id: int) -> _Readers | Refused:
        found = self._registry.writer(self._subject, schema_id)
        readers: _Readers | Refused
        try:
            writer = parse(json.loads(found.definition), found.references)
            readers = _Readers(
                reader_of(writer, self._own, row=True, epoch_millis=self._epoch),
                reader_of(writer, self._own, row=False, epoch_millis=self._epoch),
            )
        except (UnresolvableError, ValueError, KeyError, TypeError, RecursionError) as error:
            readers = Refused(f"the value's schema (id {schema_id}) cannot be resolved into the topic's: {error}")
        self._readers[schema_id] = readers
        return readers


class AvroEncoder:
    """The gateway's: an event in the JSON form into the payload behind the prefix."""

    def __init__(self, schema: SchemaRef, columns: Sequence[Column], needed: Sequence[str] = ()) -> None:
        """`needed`: fields that the topic relies on in every event, whatever the schema can say."""
        self._schema: Schema = parse(schema.definition)
        epoch = next((c.name for c in columns if c.type.kind is Kind.EPOCH_MILLIS), None)
        self._forms = field_forms(self._schema, epoch)
        self._fields = [(name, form.write) for name, form in self._forms.items()]
        self._required = tuple(needed)
        self._read = reader_of(self._schema, self._schema, row=False, epoch_millis=[epoch] if epoch else ())
        self.form_schema = form_schema(self._forms)

    def encode(self, event: Json) -> bytes:
        """Raises UnfitError at the first field that does not fit."""
        for name in self._required:
            if event.get(name) is None:
                raise UnfitError("is required and may not be null", (name,))
        out = BytesIO()
        fastavro.schemaless_writer(out, self._schema.root, write_fields(self._fields, event))
        return out.getvalue()

    def form(self, payload: bytes) -> Json:
        """The JSON form of what was encoded: one spelling for each value, as readers see it."""
        found, _ = self._read(payload, 0)
        return found  # type: ignore[no-any-return]

    def faults(self, event: Json) -> Iterator[UnfitError]:
        """Each field that does not fit, the first fault of it."""
        for name, write in self._fields:
            if event.get(name) is None and name in self._required:
                yield UnfitError("is required and may not be null", (name,))
                continue
            try:
                write_fields([(name, write)], event)
            except UnfitError as error:
                yield error
