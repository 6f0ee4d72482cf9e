"""Where a key lies in a view's store: bytes that sort as the key's fields do. Pure.

A key is placed field by field, so that all keys with the same leading fields lie together (`prefix`) and the values of
the next field lie in their own order (`range`): numbers by size, negative ones first, times by time, text by its UTF-8.

    text                   its bytes, 00 as 01 01 and 01 as 01 02, then 00: shorter before longer, and no field reaches
                           into the next
    whole number, time     8 bytes, big-endian, the sign bit turned (times are epoch milliseconds)
    number                 its IEEE 754 bits: the sign bit turned, or all of them for negative ones
    boolean                one byte
    anything else          its JSON text, as text

A record's key that is not the one spelling of its fields (docs/reference/contracts.md, "Records") has a place of its
own behind all others: Kafka takes it for another key, and so does the view.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any

import orjson

from headrace.core.columns import Column, Kind
from headrace.core.keys import encode_key, is_plain
from headrace_apps.records.instants import parse_instant
from headrace_apps.records.json_check import canonical_timestamp

KEYS, STRANGE = b"k", b"r"
"""The first byte of every place: keys of the declared fields, and all others behind them."""

_BIGINT = struct.Struct(">Q")
_DOUBLE = struct.Struct(">d")
_SIGN = 1 << 63
_ALL = (1 << 64) - 1


def place_field(column: Column, value: Any) -> bytes:
    """One field's part of a place. Raises ValueError or TypeError for what is not of its kind."""
    match column.type.kind:
        case Kind.BIGINT if type(value) is int:
            return _signed(value)
        case Kind.TIMESTAMP | Kind.EPOCH_MILLIS:
            return _signed(parse_instant(value))
        case Kind.DOUBLE if type(value) in (int, float):
            return _double(float(value))
        case Kind.BOOLEAN if type(value) is bool:
            return b"\x01" if value else b"\x00"
        case Kind.STRING | Kind.DATE if type(value) is str:
            return _text(value.encode())
        case Kind.BIGINT | Kind.DOUBLE | Kind.BOOLEAN | Kind.STRING | Kind.DATE:
            raise TypeError(f"{column.name} is no {column.type.kind}")
        case _:
            return _text(orjson.dumps(value))


def place_fields(columns: Sequence[Column], values: Sequence[Any]) -> bytes:
    """Where the keys begin that have these leading fields; all of them lie before `behind` it."""
    return KEYS + b"".join(place_field(column, value) for column, value in zip(columns, values, strict=False))


def behind(place: bytes) -> bytes:
    """The first place after all those that begin with `place`."""
    stripped = place.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1])


class KeyOrder:
    """The places of one view's keys; without columns, the order of their bytes."""

    def __init__(self, columns: Sequence[Column] = ()) -> None:
        self._columns = columns
        self._plain = is_plain(columns)

    def place(self, key: bytes) -> bytes:
        if not self._columns:
            return STRANGE + key
        try:
            if self._plain:
                key.decode()
                return KEYS + _text(key)
            fields = orjson.loads(key)
            if encode_key(self._columns, fields) == key:
                values = [fields[column.name] for column in self._columns]
                place = place_fields(self._columns, values)
                if all(map(_is_spelt, self._columns, values)):
                    return place
        except (ValueError, TypeError, KeyError):
            pass
        return STRANGE + key


def _is_spelt(column: Column, value: Any) -> bool:
    """Whether a valid value is the only one of its place: several texts are one time, and 1 and 1.0 one number."""
    match column.type.kind:
        case Kind.TIMESTAMP | Kind.EPOCH_MILLIS:
            return bool(canonical_timestamp(value) == value)
        case Kind.DOUBLE:
            return type(value) is float
        case _:
            return True


def _text(value: bytes) -> bytes:
    if b"\x01" in value or b"\x00" in value:
        value = value.replace(b"\x01", b"\x01\x02").replace(b"\x00", b"\x01\x01")
    return value + b"\x00"


def _signed(value: int) -> bytes:
    if not -_SIGN <= value < _SIGN:
        raise ValueError("is beyond 64 bits")
    return _BIGINT.pack(value + _SIGN)


def _double(value: float) -> bytes:
    if math.isnan(value):
        raise ValueError("is not a number")
    bits = int.from_bytes(_DOUBLE.pack(value))
    return _BIGINT.pack(bits ^ (_ALL if bits & _SIGN else _SIGN))
