"""A .proto file becomes a message class, a message plain fields: by protoc and its library, not by Headrace's core."""

from __future__ import annotations

import tempfile
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

FILE = "schema.proto"


@cache
def message_class(definition: str, message: str | None) -> type[Message]:
    """The class of `message` (default: the file's first). ValueError for a file that protoc refuses."""
    from grpc_tools import protoc  # only here: it is large, and JSON and Avro need none of it

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / FILE).write_text(definition)
        out = Path(folder) / "descriptors"
        known = files("grpc_tools") / "_proto"
        arguments = ["protoc", f"-I{folder}", f"-I{known}", "--include_imports", f"--descriptor_set_out={out}", FILE]
        if protoc.main(arguments) != 0:
            raise ValueError("protoc refuses the definition")
        compiled = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in compiled.file:
        pool.Add(file)
    own = pool.FindFileByName(FILE)
    name = message or compiled.file[-1].message_type[0].name
    return message_factory.GetMessageClass(own.message_types_by_name[name])


def fields_of(message: Any) -> dict[str, Any]:
    """Fields by their names in the file; what has presence and is not set is None, times are RFC 3339."""
    return {field.name: _value(message, field) for field in message.DESCRIPTOR.fields}


def _value(message: Any, field: FieldDescriptor) -> Any:
    value = getattr(message, field.name)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return {str(key): value[key] for key in value}
    if field.is_repeated:
        return [_single(one, field) for one in value]
    if field.has_presence and not message.HasField(field.name):
        return None
    return _single(value, field)


def _single(value: Any, field: FieldDescriptor) -> Any:
    if field.enum_type is not None:
        named = field.enum_type.values_by_number.get(value)
        return named.name if named else str(value)
    if field.message_type is None:
        return value
    if field.message_type.full_name == "google.protobuf.Timestamp":
        return value.ToJsonString()
    return fields_of(value)
