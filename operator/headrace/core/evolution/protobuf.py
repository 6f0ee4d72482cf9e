"""Protobuf: fields whose number, name or type changed, or that left without reserving their number. Pure.

Protobuf itself can read nearly everything; these are the rules of registries, which keep a number's meaning for ever.
"""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto

from headrace.core.evolution.common import Break, Sides, below
from headrace.core.schema.protobuf import parse_definition


def breaks(reader: str, writer: str, sides: Sides) -> Iterator[Break]:
    """Of the first message of the file, and of all in the same file that it holds. Raises SchemaError."""
    mine, theirs = parse_definition(reader, None).descriptor, parse_definition(writer, None).descriptor
    for name, message in mine.file.message_types_by_name.items():
        other = theirs.file.message_types_by_name.get(name)
        if other is not None:
            yield from _messages(message, other, name if len(mine.file.message_types_by_name) > 1 else "", sides)


def _messages(reader: Descriptor, writer: Descriptor, path: str, sides: Sides) -> Iterator[Break]:
    read_by_name = {field.name: field for field in reader.fields}
    read_by_number = {field.number: field for field in reader.fields}
    reserved = _reserved(reader)
    for field in writer.fields:
        where = below(path, field.name)
        same_name, same_number = read_by_name.get(field.name), read_by_number.get(field.number)
        if same_name is not None and same_name.number != field.number:
            yield Break(where, f"its number is {field.number} in {sides.writer}, {same_name.number} in {sides.reader}")
        elif same_number is not None and same_number.name != field.name:
            yield Break(where, f"its number {field.number} is the field {same_number.name}'s in {sides.reader}")
        elif same_number is None and field.number not in reserved:
            hint = f'say `reserved {field.number}; reserved "{field.name}";` where a field leaves'
            yield Break(where, f"{sides.reader} does not have it ({hint})")
        elif same_number is not None and _type(same_number) != _type(field):
            yield Break(where, f"it is {_type(field)} in {sides.writer}, {_type(same_number)} in {sides.reader}")
    for nested in reader.nested_types:
        other = writer.nested_types_by_name.get(nested.name)
        if other is not None:
            yield from _messages(nested, other, below(path, nested.name), sides)


def _reserved(message: Descriptor) -> set[int]:
    proto = DescriptorProto()
    message.CopyToProto(proto)
    return {number for span in proto.reserved_range for number in range(span.start, min(span.end, span.start + 10_000))}


def _type(field: FieldDescriptor) -> str:
    """As one writes it: `repeated int32`, `iot.Reading`."""
    kind = field.message_type or field.enum_type
    name = kind.full_name if kind is not None else _NAMES.get(field.type, str(field.type))
    return f"repeated {name}" if field.is_repeated else name


_NAMES = {
    value: name.removeprefix("TYPE_").lower()
    for name, value in vars(FieldDescriptor).items()
    if name.startswith("TYPE_")
}
