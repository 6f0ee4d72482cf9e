"""A view's key in a URL: the values of the key fields in their declared order, percent-encoded, joined by commas.

One STRING field is just its percent-encoded text, commas and slashes as they are if the client likes. Pure; the
encoding is written down in docs/reference/contracts.md under "Records".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import orjson

from headrace.core.columns import Column, Kind
from headrace.core.keys import encode_key, is_plain
from headrace_apps.records.json_check import (
    canonical_timestamp,
    fits_bigint,
    fits_date,
    fits_double,
    fits_epoch_millis,
    fits_timestamp,
)


class KeyInvalid(ValueError):  # noqa: N818
    """The text is not a key of the view; the message says what it should be."""


def parse_view_key(raw: str, key_columns: Sequence[Column]) -> bytes:
    """The Kafka key that `raw`, still percent-encoded, stands for. Raises KeyInvalid."""
    if is_plain(key_columns):
        return _text(raw).encode()
    parts = raw.split(",")
    names = ",".join("{" + column.name + "}" for column in key_columns)
    if not key_columns or len(parts) != len(key_columns):
        raise KeyInvalid(f"a key of this view is {names}, each percent-encoded")
    values = {c.name: parse_field(c, _text(part)) for c, part in zip(key_columns, parts, strict=True)}
    return encode_key(key_columns, values) or b""


def render_view_key(key: bytes, key_columns: Sequence[Column]) -> str | None:
    """The inverse: how to ask for this key; None when the record's key is not what its fields say."""
    try:
        if is_plain(key_columns):
            return quote(key.decode(), safe="")
        fields = orjson.loads(key)
        return ",".join(quote(_show(fields[column.name]), safe="") for column in key_columns)
    except (UnicodeDecodeError, orjson.JSONDecodeError, KeyError, TypeError, IndexError):
        return None


def _text(part: str) -> str:
    try:
        return unquote_to_bytes(part).decode()
    except UnicodeError:
        raise KeyInvalid("it is not UTF-8 after percent-decoding") from None


def _show(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def parse_field(column: Column, text: str) -> Any:
    """A key field's value from its text, as the key has it. Raises KeyInvalid."""
    kind = column.type.kind
    if kind is Kind.STRING:
        return text
    value: Any = text
    if kind in (Kind.BIGINT, Kind.DOUBLE, Kind.BOOLEAN):
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            value = text
    elif kind is Kind.EPOCH_MILLIS and re.fullmatch(r"-?[0-9]{1,15}", text):
        value = int(text)
    return check_field(column, value)


def check_field(column: Column, value: Any) -> Any:
    """A key field's value, as the key has it: a time in the one spelling that keys use. Raises KeyInvalid."""
    kind = column.type.kind
    fits = {
        **dict.fromkeys((Kind.STRING, Kind.DECIMAL, Kind.BYTES), lambda v: isinstance(v, str)),
        Kind.BIGINT: fits_bigint,
        Kind.DOUBLE: fits_double,
        Kind.BOOLEAN: lambda v: type(v) is bool,
        Kind.TIMESTAMP: fits_timestamp,
        # The key holds the time as text, so that is how a key from a listing comes back.
        Kind.EPOCH_MILLIS: lambda v: fits_epoch_millis(v) or fits_timestamp(v),
        Kind.DATE: fits_date,
    }.get(kind)
    if fits is None or not fits(value):
        raise KeyInvalid(f"{str(value)[:60]!r} is not a {kind} for {column.name}")
    return canonical_timestamp(value) if kind in (Kind.TIMESTAMP, Kind.EPOCH_MILLIS) else value
