"""The forms of a Protobuf message's fields (docs/reference/contracts.md, "Protobuf"), over google.protobuf's messages.

Writing makes keyword arguments: a dict for a message, which the library turns into one faster than fields set one by
one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import combinations
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from headrace_apps.records.forms import (
    BASE64,
    BOOLEAN,
    DOUBLE,
    FLOAT,
    INSTANT_SCHEMA,
    TEXT,
    WHOLE_32,
    WHOLE_64,
    Change,
    Form,
    array,
    checked_instant,
    instant_of,
    mapping,
    nested,
    object_schema,
    whole,
)
from headrace_apps.records.instants import instant_text
from headrace_apps.records.outcome import UnfitError
from headrace_apps.records.protobuf_json import json_form

_GOOGLE = "google.protobuf."
_WRAPPERS = frozenset(
    f"{_GOOGLE}{name}Value"
    for name in ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")
)
_ANY_JSON = frozenset(f"{_GOOGLE}{name}" for name in ("Struct", "Value", "ListValue"))
_MAX_DURATION = 315_576_000_000
"""Seconds; of Protobuf's own definition."""
_DURATION = re.compile(r"(-?)([0-9]{1,12})(?:\.([0-9]{1,9}))?s")
_SIGNED_NUMBER = re.compile(r"-?[0-9]{1,10}")

_MAX_63 = 2**63 - 1


def _check_63(value: int) -> int:
    if value > _MAX_63:
        raise UnfitError(f"is {value}, a number of more than 63 bits")
    return value


_INT32 = Form(None, whole(-(2**31), 2**31 - 1, WHOLE_32), {"type": "integer", "format": "int32"})
_UINT32 = Form(None, whole(0, 2**32 - 1, "a whole number from 0 to 4294967295"), {"type": "integer", "minimum": 0})
_INT64 = Form(None, whole(-(2**63), _MAX_63, WHOLE_64), {"type": "integer", "format": "int64"})
_UINT64 = Form(_check_63, whole(0, _MAX_63, "a whole number of at most 63 bits"), {"type": "integer", "minimum": 0})
_SINGLE = {
    FieldDescriptor.CPPTYPE_INT32: _INT32,
    FieldDescriptor.CPPTYPE_UINT32: _UINT32,
    FieldDescriptor.CPPTYPE_INT64: _INT64,
    FieldDescriptor.CPPTYPE_UINT64: _UINT64,
    FieldDescriptor.CPPTYPE_FLOAT: FLOAT,
    FieldDescriptor.CPPTYPE_DOUBLE: DOUBLE,
    FieldDescriptor.CPPTYPE_BOOL: BOOLEAN,
}


def message_form(descriptor: Descriptor) -> Form:
    """The form of a whole message: an object."""
    forms = {field.name: field_form(field) for field in descriptor.fields}
    return nested(Form(reader_of(descriptor, forms), writer_of(descriptor, forms), schema_of(descriptor, forms)))


def schema_of(descriptor: Descriptor, forms: dict[str, Form]) -> dict[str, Any]:
    schema = {
        **object_schema(forms),
        "required": [field.name for field in descriptor.fields if field.is_required],
    }
    apart = [
        {"not": {"required": list(pair)}} for _, names in choices_of(descriptor) for pair in combinations(names, 2)
    ]
    return {**schema, "allOf": apart} if apart else schema


def choices_of(descriptor: Descriptor) -> list[tuple[str, list[str]]]:
    """Each oneof's name and members; the one that `optional` makes has a single member, and is none."""
    return [(oneof.name, [f.name for f in oneof.fields]) for oneof in descriptor.oneofs if len(oneof.fields) > 1]


def reader_of(descriptor: Descriptor, forms: dict[str, Form]) -> Callable[[Message], dict[str, Any]]:
    """The JSON form of a message; what is not set is left out."""
    fields = [(f.name, f.has_presence, f.is_required, forms[f.name].read) for f in descriptor.fields]
    check = misread_of(descriptor)

    def read(message: Message) -> dict[str, Any]:
        check(message)
        out: dict[str, Any] = {}
        for name, presence, required, read_field in fields:
            if presence and not message.HasField(name):
                if required:
                    raise UnfitError("is required and is missing", (name,))
                continue
            value = getattr(message, name)
            if read_field is not None:
                try:
                    value = read_field(value)
                except UnfitError as error:
                    raise error.below(name) from None
                if value is None:
                    continue
            out[name] = value
        return out

    return read


def misread_of(descriptor: Descriptor) -> Callable[[Message], None]:
    """Raises UnfitError for a field whose bytes are of another type than the schema's: the library puts those aside
    with the fields that it does not know, and the field would look unset."""
    names = {field.number: field.name for field in descriptor.fields}

    def check(message: Message) -> None:
        for field in UnknownFieldSet(message):  # type: ignore[attr-defined]
            if field.field_number in names:
                raise UnfitError("is of another type than in the topic's schema", (names[field.field_number],))

    return check


def writer_of(descriptor: Descriptor, forms: dict[str, Form]) -> Change:
    fields = [(f.name, f.is_required, forms[f.name].write) for f in descriptor.fields]
    choices = choices_of(descriptor)

    def write(value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise UnfitError("must be an object")
        out = {}
        for name, required, write_field in fields:
            given = value.get(name)
            if given is None:
                if required:
                    raise UnfitError("is required and may not be null", (name,))
                continue
            try:
                out[name] = write_field(given)
            except UnfitError as error:
                raise error.below(name) from None
        for choice, members in choices:
            both = [name for name in members if name in out]
            if len(both) > 1:
                raise UnfitError(f"is of the oneof {choice}, as {both[0]} is: give one of them", (both[1],))
        return out

    return write


def field_form(field: FieldDescriptor) -> Form:
    if not field.is_repeated:
        return _one(field)
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        write_name, read_name = _map_key(entry.fields_by_name["key"])
        return mapping(_one(entry.fields_by_name["value"]), write_name, read_name)
    return array(_one(field))


def _one(field: FieldDescriptor) -> Form:  # noqa: PLR0911 - a line per type
    if field.enum_type is not None:
        return _enum(field.enum_type)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return BASE64
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return TEXT
    message = field.message_type
    if message is None:
        return _SINGLE[field.cpp_type]
    if message.full_name == f"{_GOOGLE}Timestamp":
        return _TIMESTAMP
    if message.full_name == f"{_GOOGLE}Duration":
        return _DURATION_FORM
    if message.full_name in _WRAPPERS:
        return _wrapper(_one(message.fields_by_name["value"]))
    if message.full_name in _ANY_JSON:
        return json_form(message)
    return message_form(message)


def _wrapper(form: Form) -> Form:
    read, row = form.read, form.row or form.read
    return Form(
        (lambda message: message.value) if read is None else (lambda message: read(message.value)),
        lambda value: {"value": form.write(value)},
        form.schema,
        None if row is None else (lambda message: row(message.value)),
    )


def _enum(enum: EnumDescriptor) -> Form:
    names = {number: value.name for number, value in enum.values_by_number.items()}
    numbers = {value.name: value.number for value in enum.values}
    words = ", ".join(list(numbers)[:20]) + (", …" if len(numbers) > 20 else "")
    closed = enum.is_closed

    def read(number: int) -> str:
        return names.get(number) or str(number)

    def write(value: Any) -> int:
        if type(value) is str:
            if value in numbers:
                return numbers[value]
            # How a reader is shown a number of a newer schema.
            if not closed and _SIGNED_NUMBER.fullmatch(value) and -(2**31) <= int(value) < 2**31:
                return int(value)
        raise UnfitError(f"must be one of {words}")

    return Form(read, write, {"type": "string", "enum": list(numbers)})


def _map_key(field: FieldDescriptor) -> tuple[Change, Callable[[Any], str]]:
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return str, str
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return _bool_key, lambda key: "true" if key else "false"
    write = _SINGLE[field.cpp_type].write

    def write_key(text: str) -> Any:
        return write(int(text) if re.fullmatch(r"-?[0-9]{1,20}", text) else text)

    return write_key, lambda key: str(_check_63(key))


def _bool_key(text: str) -> bool:
    if text not in ("true", "false"):
        raise UnfitError("must have the names true and false only")
    return text == "true"


def _read_millis(message: Any) -> int:
    seconds, nanos = message.seconds, message.nanos
    if not 0 <= nanos < 1_000_000_000:
        raise UnfitError(f"has {nanos} nanoseconds, which is no part of a second")
    return checked_instant(seconds * 1000 + nanos // 1_000_000)


def _write_timestamp(value: Any) -> dict[str, int]:
    seconds, nanos = instant_of(value)
    return {"seconds": seconds, "nanos": nanos}


def _read_duration(message: Any) -> str:
    seconds, nanos = message.seconds, message.nanos
    if abs(seconds) > _MAX_DURATION or abs(nanos) >= 1_000_000_000 or seconds * nanos < 0:
        raise UnfitError(f"is {seconds} s and {nanos} ns, no duration")
    text = f"{'-' if seconds < 0 or nanos < 0 else ''}{abs(seconds)}"
    if nanos:
        digits = f"{abs(nanos):09d}"
        while digits.endswith("000"):  # three, six or nine digits, as in Protobuf's own JSON
            digits = digits[:-3]
        text += f".{digits}"
    return text + "s"


def _write_duration(value: Any) -> dict[str, int]:
    match = _DURATION.fullmatch(value) if type(value) is str else None
    if match is None or int(match[2]) > _MAX_DURATION:
        raise UnfitError("must be a duration in seconds, as 1.5s")
    sign = -1 if match[1] else 1
    return {"seconds": sign * int(match[2]), "nanos": sign * int((match[3] or "").ljust(9, "0"))}


_TIMESTAMP = Form(lambda message: instant_text(_read_millis(message)), _write_timestamp, INSTANT_SCHEMA, _read_millis)
_DURATION_FORM = Form(_read_duration, _write_duration, {"type": "string", "examples": ["1.500s"]})
