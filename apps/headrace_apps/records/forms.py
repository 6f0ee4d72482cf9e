"""A form: how one type's values pass between the wire's library, the JSON form and the row. Made once per schema.

`avro_forms` and `protobuf_forms` make them; what both have in common is here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from math import isfinite
from typing import Any

from headrace_apps.records.instants import EPOCH, MILLISECOND, check_instant
from headrace_apps.records.json_check import fits_timestamp
from headrace_apps.records.outcome import UnfitError
from headrace_apps.records.strict_json import json_text
from headrace_apps.records.texts import base64_text, parse_base64

Change = Callable[[Any], Any]
JsonSchema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Form:
    """`read`: the library's value → the JSON form (None: they are the same); `write`: the JSON form → the library's
    value; `row`: the library's value → the row's (None: as `read`). All raise UnfitError. `schema` is the JSON Schema
    of the JSON form, for the gateway's page."""

    read: Change | None
    write: Change
    schema: JsonSchema
    row: Change | None = None


class InexactError(UnfitError):
    """A float where the digits count: the text has to be parsed again, exactly (`event_json.parse_exactly`)."""


def nested(form: Form) -> Form:
    """The form of an array, a map, a record or any JSON: text in the row."""
    read = form.read
    row = json_text if read is None else lambda value: json_text(read(value))
    return Form(read, form.write, form.schema, row)


def write_text(value: Any) -> str:
    if type(value) is not str:
        raise UnfitError("must be a string")
    return value


def write_boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise UnfitError("must be true or false")
    return value


def whole(least: int, greatest: int, words: str) -> Change:
    """Writes a whole number in this range; `words` name it: "must be …"."""

    def write(value: Any) -> int:
        kind = type(value)
        if kind is Decimal:
            # adjusted() bounds the work: 1e999999999 must not be written out.
            if not value.adjusted() > 20 and value == value.to_integral_value():
                value, kind = int(value), int
        elif kind is float:
            raise InexactError(f"must be {words}")
        if kind is not int or not least <= value <= greatest:
            raise UnfitError(f"must be {words}")
        return value  # type: ignore[no-any-return]

    return write


WHOLE_32 = "a whole number within 32 bits"
WHOLE_64 = "a whole number within 64 bits"
write_int32 = whole(-(2**31), 2**31 - 1, WHOLE_32)
write_int64 = whole(-(2**63), 2**63 - 1, WHOLE_64)


def write_double(value: Any) -> float:
    kind = type(value)
    if kind is float or kind is int or kind is Decimal:
        try:
            number = float(value)
        except OverflowError:
            number = float("inf")
        if isfinite(number):
            return number
    raise UnfitError("must be a number")


def write_float(value: Any) -> float:
    number = write_double(value)
    try:
        struct.pack("<f", number)
    except OverflowError:
        raise UnfitError("must be a number within 32 bits of floating point") from None
    return number


def read_real(value: float) -> float:
    if not isfinite(value):
        raise UnfitError("is not a finite number")
    return value


def instant_of(text: Any) -> tuple[int, int]:
    """Whole seconds since 1970 and nanoseconds, of an RFC 3339 text as the gateway takes it (narrowly)."""
    if not fits_timestamp(text):
        raise UnfitError("must be a date-time with an offset, as 2026-11-22T19:01:00.123Z, in the years 0001 to 9999")
    digits = ""
    if text[19] == ".":
        end = 20
        while text[end].isdigit():
            end += 1
        digits, text = text[20:end], text[:19] + text[end:]
    moment = datetime.fromisoformat(text)
    return ((moment - EPOCH) // MILLISECOND) // 1000, int(digits.ljust(9, "0") or 0)


def checked_instant(millis: int) -> int:
    """Raises UnfitError outside of the years 1 to 9999."""
    try:
        return check_instant(millis)
    except ValueError as error:
        raise UnfitError(str(error)) from None


def same(value: Any) -> Any:
    return value


TEXT = Form(None, write_text, {"type": "string"})
BOOLEAN = Form(None, write_boolean, {"type": "boolean"})
INT64 = Form(None, write_int64, {"type": "integer", "format": "int64"})
DOUBLE = Form(read_real, write_double, {"type": "number"})
FLOAT = Form(read_real, write_float, {"type": "number"})
BASE64 = Form(
    base64_text, parse_base64, {"type": "string", "contentEncoding": "base64", "examples": ["aGVhZHJhY2U="]}, same
)
INSTANT_SCHEMA: JsonSchema = {"type": "string", "format": "date-time"}


def epoch_millis(form: Form) -> Form:
    """A whole number that is the topic's event time."""
    read = form.read

    def check(value: Any) -> int:
        return checked_instant(value if read is None else read(value))

    def write(value: Any) -> Any:
        written = form.write(value)
        checked_instant(written)
        return written

    return Form(check, write, {**form.schema, "description": "Epoch milliseconds.", "examples": [1795374060000]}, check)


def array(item: Form) -> Form:
    read, write = item.read, item.write

    def read_array(values: Any) -> list[Any]:
        assert read is not None  # noqa: S101 - see below
        out = []
        for index, value in enumerate(values):
            try:
                out.append(read(value))
            except UnfitError as error:
                raise error.below(index) from None
        return out

    def write_array(values: Any) -> list[Any]:
        if type(values) is not list:
            raise UnfitError("must be an array")
        out = []
        for index, value in enumerate(values):
            try:
                out.append(write(value))
            except UnfitError as error:
                raise error.below(index) from None
        return out

    schema = {"type": "array", "items": item.schema}
    return nested(Form(list if read is None else read_array, write_array, schema))


def mapping(value_form: Form, write_name: Change = same, read_name: Callable[[Any], str] = same) -> Form:
    read, write = value_form.read, value_form.write

    def read_map(values: Any) -> dict[str, Any]:
        out = {}
        for name, value in values.items():
            shown = read_name(name)
            try:
                out[shown] = value if read is None else read(value)
            except UnfitError as error:
                raise error.below(shown) from None
        return out

    def write_map(values: Any) -> dict[Any, Any]:
        if type(values) is not dict:
            raise UnfitError("must be an object")
        out = {}
        for name, value in values.items():
            try:
                out[write_name(name)] = write(value)
            except UnfitError as error:
                raise error.below(name) from None
        return out

    return nested(Form(read_map, write_map, {"type": "object", "additionalProperties": value_form.schema}))


def object_schema(forms: dict[str, Form]) -> JsonSchema:
    """The JSON Schema of a record's JSON form."""
    return {"type": "object", "properties": {name: form.schema for name, form in forms.items()}}
