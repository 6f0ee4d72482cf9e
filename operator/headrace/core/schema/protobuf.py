"""A .proto file: does it compile, and which columns does its message mean (docs/reference/contracts.md, "Protobuf").

Compiled by protoc itself (in grpcio-tools). Decoders get the descriptors from the plan, so nothing else ever compiles.
"""

from __future__ import annotations

import base64
import re
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc_tools
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet

# The public entry prints what is wrong and gives a number; this one, which it calls, gives lines and columns.
from grpc_tools import _protoc_compiler, protoc

from headrace.core.columns import (
    BIGINT,
    BOOLEAN,
    BYTES,
    DOUBLE,
    JSON,
    STRING,
    TIMESTAMP,
    Column,
    ColumnType,
    Kind,
)
from headrace.core.documents import ProtobufMessage
from headrace.core.problems import shorten
from headrace.core.schema.common import Bounds, SchemaError, as_columns

_FILE = "schema.proto"
_KNOWN = str(Path(grpc_tools.__file__).parent / "_proto")
_SINGLE = {
    FieldDescriptor.CPPTYPE_INT32: BIGINT,
    FieldDescriptor.CPPTYPE_INT64: BIGINT,
    FieldDescriptor.CPPTYPE_UINT32: BIGINT,
    FieldDescriptor.CPPTYPE_UINT64: BIGINT,
    FieldDescriptor.CPPTYPE_FLOAT: DOUBLE,
    FieldDescriptor.CPPTYPE_DOUBLE: DOUBLE,
    FieldDescriptor.CPPTYPE_BOOL: BOOLEAN,
    FieldDescriptor.CPPTYPE_ENUM: STRING,
}
_WELL_KNOWN = {
    "Timestamp": TIMESTAMP,
    "Duration": STRING,
    "Struct": JSON,
    "Value": JSON,
    "ListValue": JSON,
    "DoubleValue": DOUBLE,
    "FloatValue": DOUBLE,
    "Int64Value": BIGINT,
    "UInt64Value": BIGINT,
    "Int32Value": BIGINT,
    "UInt32Value": BIGINT,
    "BoolValue": BOOLEAN,
    "StringValue": STRING,
    "BytesValue": BYTES,
}
_SYNTAX = re.compile(r"^\s*(syntax|edition)\s*=", re.MULTILINE)
_GOOGLE = "google.protobuf."


@dataclass(frozen=True, slots=True)
class Compiled:
    message: ProtobufMessage
    descriptor: Descriptor


def parse_definition(text: str, message: str | None) -> Compiled:
    """The topic's message: the one of that name (full, or within the package), else the file's first. Raises
    SchemaError."""
    if not _SYNTAX.search(text):  # protoc would guess, and say so on stderr
        raise SchemaError('must begin with syntax = "proto3";')
    descriptors = _compile(text)
    found = _find(_load(descriptors), message)
    encoded = base64.b64encode(descriptors.SerializeToString(deterministic=True)).decode()
    return Compiled(ProtobufMessage(descriptors=encoded, name=found.full_name, indexes=_indexes(found)), found)


def columns_of(descriptor: Descriptor, event_time_field: str | None) -> tuple[Column, ...]:
    """The row that a message is. Raises SchemaError."""
    return as_columns(_columns(descriptor, Bounds(), (descriptor,), ""), event_time_field)


def _compile(text: str) -> FileDescriptorSet:
    """protoc reads files only, so there is a folder for as long as it takes."""
    with tempfile.TemporaryDirectory(prefix="headrace-proto-") as folder:
        source, target = Path(folder) / _FILE, Path(folder) / "descriptors"
        try:
            source.write_text(text, encoding="utf-8")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # an unused import is the author's business
                _protoc_compiler.get_protos(_FILE.encode(), [folder.encode(), _KNOWN.encode()])
        except _protoc_compiler.ProtocErrors as errors:
            raise SchemaError(_worded(errors.errors())) from None
        except (UnicodeError, ValueError, RuntimeError) as error:
            raise SchemaError(f"is not a .proto file: {shorten(str(error), 200)}") from None
        arguments = [f"-I{folder}", f"-I{_KNOWN}", "--include_imports", f"-o{target}", _FILE]
        if protoc.main(["protoc", *arguments]) != 0 or not target.is_file():
            raise SchemaError("is not a .proto file that protoc takes")
        return FileDescriptorSet.FromString(target.read_bytes())


def _load(descriptors: FileDescriptorSet) -> FileDescriptor:
    pool = descriptor_pool.DescriptorPool()
    try:
        for file in descriptors.file:
            pool.Add(file)
        return pool.FindFileByName(_FILE)
    except TypeError as error:  # what protoc takes and the runtime does not: a message beyond its size
        raise SchemaError(f"cannot be used: {shorten(str(error), 200)}") from None


def _worded(errors: list[_protoc_compiler.ProtocError]) -> str:
    first = errors[0]
    message = _text(first.message).rstrip(".")
    if "File not found" in message:
        name = shorten(_text(first.filename))
        return f"imports {name}: only google/protobuf/… can be imported; put the other types into the definition"
    line = f"line {first.line + 1} of the definition"
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"is not a .proto file: {shorten(message, 200)} in {line}{more}"


def _text(value: bytes | str) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _find(file: FileDescriptor, name: str | None) -> Descriptor:
    messages = {message.full_name: message for message in _messages(file.message_types_by_name.values())}
    if not messages:
        raise SchemaError("declares no message")
    if name is None:
        return next(iter(messages.values()))
    full = f"{file.package}.{name}" if file.package else name
    for candidate in (name, full):
        if candidate in messages:
            return messages[candidate]
    raise SchemaError(f"declares no message {shorten(name)!r}; it has {shorten(', '.join(messages), 200)}")


def _messages(messages: object) -> Iterator[Descriptor]:
    """Top-level ones first to last, each before those inside it."""
    for message in messages:  # type: ignore[attr-defined]
        if not message.GetOptions().map_entry:
            yield message
            yield from _messages(message.nested_types)


def _indexes(message: Descriptor) -> tuple[int, ...]:
    """The path of positions from the file to the message, as the wire format's prefix has it."""
    outer = message.containing_type
    siblings = list(outer.nested_types if outer else message.file.message_types_by_name.values())
    return (*(_indexes(outer) if outer else ()), siblings.index(message))


def _columns(descriptor: Descriptor, bounds: Bounds, inside: tuple[Descriptor, ...], where: str) -> Iterator[Column]:
    if not descriptor.fields:
        raise SchemaError(f"{where or descriptor.name} is a message without fields: there is nothing to keep")
    for field in descriptor.fields:
        here = f"{where}.{field.name}" if where else field.name
        bounds.enter(len(inside), here)
        # What has no presence is its default when it is not set, so a value is always there.
        required = not field.has_presence or field.is_required
        yield Column(name=field.name, type=_type(field, bounds, inside, here), required=required)


def _type(field: FieldDescriptor, bounds: Bounds, inside: tuple[Descriptor, ...], where: str) -> ColumnType:
    if not field.is_repeated:
        return _one(field, bounds, inside, where)
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        return ColumnType(kind=Kind.MAP, value=_one(entry.fields_by_name["value"], bounds, inside, f"{where}.*"))
    return ColumnType(kind=Kind.ARRAY, element=_one(field, bounds, inside, f"{where}[]"))


def _one(field: FieldDescriptor, bounds: Bounds, inside: tuple[Descriptor, ...], where: str) -> ColumnType:
    if field.type == FieldDescriptor.TYPE_GROUP:
        raise SchemaError(f"{where} is a group, which is of Protobuf's past: make it a message")
    if field.type == FieldDescriptor.TYPE_BYTES:
        return BYTES
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return STRING
    message = field.message_type
    if message is None:
        return _SINGLE[field.cpp_type]
    if message.full_name.startswith(_GOOGLE):
        known = _WELL_KNOWN.get(message.full_name.removeprefix(_GOOGLE))
        if known is None:
            raise SchemaError(f"{where} is a {message.full_name}, which has no column type")
        return known
    if message in inside:
        raise SchemaError(f"{where} is a {message.name} inside a {message.name}: a row cannot nest in itself")
    return ColumnType(kind=Kind.ROW, fields=tuple(_columns(message, bounds, (*inside, message), where)))
