"""Google's `Struct`, `Value` and `ListValue`: any JSON as messages."""

from __future__ import annotations

from decimal import Decimal
from math import isfinite
from typing import Any

from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import Descriptor

from headrace_apps.records.forms import Form
from headrace_apps.records.outcome import UnfitError
from headrace_apps.records.strict_json import json_text

_EXACT = 2**53
_SCHEMAS: dict[str, dict[str, Any]] = {
    "Struct": {"type": "object", "examples": [{"any": "JSON"}]},
    "ListValue": {"type": "array", "examples": [[1, "two"]]},
    "Value": {"examples": [{"any": "JSON"}]},
}
_KINDS = {"Struct": (dict, "an object"), "ListValue": (list, "an array"), "Value": (object, "any JSON")}


def json_form(descriptor: Descriptor) -> Form:
    """The form of a field of one of the three types."""
    message_class = message_factory.GetMessageClass(descriptor)
    expected, words = _KINDS[descriptor.name]

    def read(message: Any) -> Any:
        try:
            return _plain(json_format.MessageToDict(message))
        except (json_format.Error, ValueError) as error:
            raise UnfitError(f"is no JSON: {error}") from None

    def write(value: Any) -> Any:
        if not isinstance(value, expected):
            raise UnfitError(f"must be {words}")
        try:
            return json_format.ParseDict(_floats(value), message_class())
        except (json_format.Error, ValueError, RecursionError) as error:
            raise UnfitError(f"must be JSON that Protobuf can keep: {error}") from None

    def row(message: Any) -> str | None:
        value = read(message)
        return None if value is None else json_text(value)

    return Form(read, write, _SCHEMAS[descriptor.name], row)


def _plain(value: Any) -> Any:
    """A number without a fraction is a whole one, as in Protobuf's own JSON."""
    if type(value) is float:
        return int(value) if value.is_integer() and abs(value) <= _EXACT else value
    if type(value) is dict:
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if type(value) is list else value


def _floats(value: Any) -> Any:
    if type(value) is Decimal or type(value) is int:
        try:
            number = float(value)
        except OverflowError:
            number = float("inf")
        if not isfinite(number):
            raise UnfitError("has a number beyond a double")
        return number
    if type(value) is dict:
        return {name: _floats(item) for name, item in value.items()}
    return [_floats(item) for item in value] if type(value) is list else value
