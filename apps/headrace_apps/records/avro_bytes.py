"""Avro's binary encoding, read strictly: `read(data, at) → (value, where it ends)`. Pure; composed by `avro_reader`.

The specification: Apache Avro 1.12, "Binary Encoding". An IndexError says that the bytes end too early.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

from headrace_apps.records.outcome import UnfitError

Read = Callable[[bytes, int], tuple[Any, int]]

MAX_EMPTY_ITEMS = 100_000
"""Items that take no bytes could be any number in a record of ten."""

_FLOAT, _DOUBLE = struct.Struct("<f").unpack_from, struct.Struct("<d").unpack_from


def read_long(data: bytes, at: int) -> tuple[int, int]:
    """A zig-zag varint of at most 64 bits."""
    byte = data[at]
    if byte < 0x80:
        return (byte >> 1) ^ -(byte & 1), at + 1
    bits, shift = byte & 0x7F, 7
    while shift < 64:
        at += 1
        byte = data[at]
        if shift == 63 and byte & 0xFE:
            break
        bits |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (bits >> 1) ^ -(bits & 1), at + 1
        shift += 7
    raise UnfitError("is a number of more than 64 bits")


def read_int(data: bytes, at: int) -> tuple[int, int]:
    value, at = read_long(data, at)
    if not -0x80000000 <= value <= 0x7FFFFFFF:
        raise UnfitError("is a number of more than 32 bits")
    return value, at


def read_boolean(data: bytes, at: int) -> tuple[bool, int]:
    byte = data[at]
    if byte > 1:
        raise UnfitError(f"is the byte {byte}, not true or false")
    return byte == 1, at + 1


def read_float(data: bytes, at: int) -> tuple[float, int]:
    if at + 4 > len(data):
        raise IndexError
    return _FLOAT(data, at)[0], at + 4


def read_double(data: bytes, at: int) -> tuple[float, int]:
    if at + 8 > len(data):
        raise IndexError
    return _DOUBLE(data, at)[0], at + 8


def read_bytes(data: bytes, at: int) -> tuple[bytes, int]:
    size, at = read_long(data, at)
    if size < 0:
        raise UnfitError("has a negative length")
    end = at + size
    if end > len(data):
        raise IndexError
    return data[at:end], end


def read_string(data: bytes, at: int) -> tuple[str, int]:
    size = data[at]
    if size < 0x80 and not size & 1:
        at += 1
        size >>= 1
    else:
        size, at = read_long(data, at)
        if size < 0:
            raise UnfitError("has a negative length")
    end = at + size
    if end > len(data):
        raise IndexError
    try:
        return data[at:end].decode(), end
    except UnicodeDecodeError:
        raise UnfitError("is not UTF-8") from None


def fixed(size: int) -> Read:
    def read(data: bytes, at: int) -> tuple[bytes, int]:
        end = at + size
        if end > len(data):
            raise IndexError
        return data[at:end], end

    return read


def read_null(_: bytes, at: int) -> tuple[None, int]:
    return None, at


def changed(read: Read, change: Callable[[Any], Any]) -> Read:
    def read_changed(data: bytes, at: int) -> tuple[Any, int]:
        value, at = read(data, at)
        return change(value), at

    return read_changed


def changed_unless_null(read: Read, change: Callable[[Any], Any]) -> Read:
    def read_changed(data: bytes, at: int) -> tuple[Any, int]:
        value, at = read(data, at)
        return None if value is None else change(value), at

    return read_changed


def union(branches: Sequence[Read]) -> Read:
    count = len(branches)
    first, second = (branches[0], branches[1]) if count == 2 else (None, None)

    def read(data: bytes, at: int) -> tuple[Any, int]:
        index, at = read_long(data, at)
        if 0 <= index < count:
            return branches[index](data, at)
        raise UnfitError(f"has the branch {index} of {count}")

    def read_nullable(data: bytes, at: int) -> tuple[Any, int]:
        byte = data[at]
        if byte == 0:
            return first(data, at + 1)  # type: ignore[misc]
        if byte == 2:
            return second(data, at + 1)  # type: ignore[misc]
        return read(data, at)

    return read if count != 2 else read_nullable


def enum(symbols: Sequence[str | None], names: Sequence[str]) -> Read:
    """`symbols` are the reader's for each of the writer's `names`; None where it has none."""
    count = len(symbols)

    def read(data: bytes, at: int) -> tuple[str, int]:
        index, at = read_long(data, at)
        if not 0 <= index < count:
            raise UnfitError(f"has the symbol {index} of {count}")
        symbol = symbols[index]
        if symbol is None:
            raise UnfitError(f"is {names[index]}, which the topic's schema does not have")
        return symbol, at

    return read


def array(item: Read, smallest: int, nulls: bool) -> Read:
    def read(data: bytes, at: int) -> tuple[list[Any], int]:
        out: list[Any] = []
        while True:
            count, at = _block(data, at, smallest, len(out))
            if not count:
                return out, at
            for _ in range(count):
                try:
                    value, at = item(data, at)
                except UnfitError as error:
                    raise error.below(len(out)) from None
                if value is None and not nulls:
                    raise UnfitError("is null", (len(out),))
                out.append(value)

    return read


def mapping(value: Read, smallest: int, nulls: bool) -> Read:
    def read(data: bytes, at: int) -> tuple[dict[str, Any], int]:
        out: dict[str, Any] = {}
        while True:
            count, at = _block(data, at, smallest + 1, 0)
            if not count:
                return out, at
            for _ in range(count):
                name, at = read_string(data, at)
                try:
                    found, at = value(data, at)
                except UnfitError as error:
                    raise error.below(name) from None
                if found is None and not nulls:
                    raise UnfitError("is null", (name,))
                out[name] = found

    return read


def _block(data: bytes, at: int, smallest: int, before: int) -> tuple[int, int]:
    """The number of items in the next block, 0 after the last."""
    count, at = read_long(data, at)
    if count < 0:
        count = -count
        size, at = read_long(data, at)
        if not 0 <= size <= len(data) - at:
            raise IndexError
    if count > ((len(data) - at) // smallest if smallest else MAX_EMPTY_ITEMS - before):
        raise IndexError
    return count, at


def record(
    fields: Sequence[tuple[str | None, Read]], constants: dict[str, Any], order: Sequence[str], keep_null: bool
) -> Read:
    """`fields` in the writer's order; those without a name are passed over. `constants`: what the writer lacks. The
    result is in the topic's `order`."""
    written = [name for name, _ in fields if name]
    in_order = [*constants, *written] == list(order)
    begin = constants if in_order or not keep_null else {name: constants.get(name) for name in order}

    def read(data: bytes, at: int) -> tuple[dict[str, Any], int]:
        out = begin.copy()
        for name, read_field in fields:
            try:
                value, at = read_field(data, at)
            except UnfitError as error:
                raise (error.below(name) if name else error) from None
            if name and (keep_null or value is not None):
                out[name] = value
        return out, at

    def read_in_order(data: bytes, at: int) -> tuple[dict[str, Any], int]:
        out, at = read(data, at)
        return {name: out[name] for name in order if name in out}, at

    return read if in_order or keep_null else read_in_order
