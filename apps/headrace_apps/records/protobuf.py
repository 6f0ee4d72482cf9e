"""Protobuf in the registry's wire format: the topic's decoder and the gateway's encoder.

Read with the topic's own schema: numbers tell fields, so the writer's is not needed; its id and the message indexes
are checked all the same (docs/adr/0008).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError, EncodeError, Message

from headrace.core.columns import Column, Kind
from headrace.core.documents import ProtobufMessage, SchemaRef
from headrace_apps.records.forms import epoch_millis
from headrace_apps.records.outcome import TOMBSTONE, Outcome, Refused, Row, UnfitError
from headrace_apps.records.protobuf_forms import field_form, misread_of, reader_of, schema_of, writer_of
from headrace_apps.records.registry import Registry, UnknownSchemaError
from headrace_apps.records.wire import PREFIX, parse_indexes, parse_prefix, render_indexes

Json = dict[str, Any]


def descriptor_of(message: ProtobufMessage) -> Descriptor:
    """The message, compiled by the core. Raises ValueError for what is no descriptor set or lacks it."""
    pool = descriptor_pool.DescriptorPool()
    try:
        files = descriptor_pb2.FileDescriptorSet.FromString(base64.b64decode(message.descriptors))
        for file in files.file:
            pool.Add(file)
        found: Descriptor = pool.FindMessageTypeByName(message.name)
    except (KeyError, TypeError, ValueError, DecodeError) as error:
        raise ValueError(f"the descriptors of {message.name} cannot be used: {error}") from None
    return found


def _declared(schema: SchemaRef) -> ProtobufMessage:
    if schema.message is None:
        raise ValueError(f"the schema of {schema.subject} names no message")
    return schema.message


class ProtobufDecoder:
    """One topic's. Raises ValueError for a schema that lacks a column."""

    may_wait = True

    def __init__(self, schema: SchemaRef, columns: Sequence[Column], registry: Registry) -> None:
        declared = _declared(schema)
        self._subject = schema.subject
        self._registry = registry
        self._indexes = tuple(declared.indexes)
        self._plain_start = b"\x00" if self._indexes == (0,) else None
        descriptor = descriptor_of(declared)
        self._name = descriptor.name
        self._class = message_factory.GetMessageClass(descriptor)
        forms = {field.name: field_form(field) for field in descriptor.fields}
        for column in columns:
            if column.name not in forms:
                raise ValueError(f"the schema of {schema.subject} has no field {column.name}")
            if column.type.kind is Kind.EPOCH_MILLIS:
                forms[column.name] = epoch_millis(forms[column.name])
        self._form = reader_of(descriptor, forms)
        self._check = misread_of(descriptor)
        fields = descriptor.fields_by_name
        self._columns = [
            (c.name, c.required, fields[c.name].has_presence, forms[c.name].row or forms[c.name].read) for c in columns
        ]
        self._required = [c.name for c in columns if c.required]
        self._known: set[int] = set()

    def row(self, value: bytes | None) -> Outcome:
        if value is None:
            return TOMBSTONE
        try:
            return Row(self._row(self._message(value)))
        except UnfitError as error:
            return Refused(error.line)
        except UnknownSchemaError as error:
            return Refused(f"the value {error}")

    def form(self, value: bytes) -> Json | Refused:
        try:
            found = self._form(self._message(value))
        except UnfitError as error:
            return Refused(error.line)
        except UnknownSchemaError as error:
            return Refused(f"the value {error}")
        for name in self._required:
            if name not in found:
                return Refused(f"field {name} is required and is missing")
        return found

    def text(self, value: bytes) -> bytes | Refused:
        found = self.form(value)
        return found if isinstance(found, Refused) else orjson.dumps(found)

    def _row(self, message: Message) -> dict[str, Any]:
        self._check(message)
        values: dict[str, Any] = {}
        for name, required, presence, read in self._columns:
            if presence and not message.HasField(name):
                if required:
                    raise UnfitError("is required and is missing", (name,))
                values[name] = None
                continue
            value = getattr(message, name)
            if read is not None:
                try:
                    value = read(value)
                except UnfitError as error:
                    raise error.below(name) from None
            values[name] = value
        return values

    def _message(self, value: bytes) -> Message:
        """Raises UnfitError, UnknownSchemaError."""
        schema_id = parse_prefix(value)
        if schema_id not in self._known:
            self._registry.writer(self._subject, schema_id)
            self._known.add(schema_id)
        at = PREFIX + 1
        if value[PREFIX:at] != self._plain_start:
            indexes, at = parse_indexes(value, PREFIX)
            if indexes != self._indexes:
                where, own = list(indexes), list(self._indexes)
                raise UnfitError(f"the value is the message {where} of the schema's file, not the topic's {own}")
        try:
            return self._class.FromString(value[at:])
        except (DecodeError, ValueError, RecursionError) as error:
            why = " ".join(str(error).split())
            raise UnfitError(f"the value is no {self._name}: {why or 'its bytes end too early'}") from None


class ProtobufEncoder:
    """The gateway's: an event in the JSON form into the payload behind the prefix."""

    def __init__(self, schema: SchemaRef, columns: Sequence[Column], needed: Sequence[str] = ()) -> None:
        """`needed`: fields that the topic relies on in every event, whatever the schema can say."""
        declared = _declared(schema)
        descriptor = descriptor_of(declared)
        self._descriptor = descriptor
        self._class = message_factory.GetMessageClass(descriptor)
        self._start = render_indexes(declared.indexes)
        forms = {field.name: field_form(field) for field in descriptor.fields}
        for column in columns:
            if column.type.kind is Kind.EPOCH_MILLIS:
                forms[column.name] = epoch_millis(forms[column.name])
        self._forms = forms
        self._write = writer_of(descriptor, forms)
        self._read = reader_of(descriptor, forms)
        self._needed = tuple(needed)
        self.form_schema = schema_of(descriptor, forms)
        self.form_schema["required"] = sorted({*self.form_schema["required"], *needed}, key=list(forms).index)

    def encode(self, event: Json) -> bytes:
        """Raises UnfitError at the first field that does not fit."""
        for name in self._needed:
            if event.get(name) is None:
                raise UnfitError("is required and may not be null", (name,))
        try:
            message = self._class(**self._write(event))
            return self._start + message.SerializeToString()
        except UnfitError:
            raise
        except (EncodeError, TypeError, ValueError) as error:
            raise UnfitError(f"cannot be written as Protobuf: {error}") from None

    def form(self, payload: bytes) -> Json:
        """The JSON form of what was encoded: one spelling for each value, as readers see it."""
        return self._read(self._class.FromString(payload[len(self._start) :]))

    def faults(self, event: Json) -> Iterator[UnfitError]:
        """Each field that does not fit, the first fault of it."""
        for name, form in self._forms.items():
            given = event.get(name)
            if given is None:
                if name in self._needed or self._descriptor.fields_by_name[name].is_required:
                    yield UnfitError("is required and may not be null", (name,))
                continue
            try:
                form.write(given)
            except UnfitError as error:
                yield error.below(name)
