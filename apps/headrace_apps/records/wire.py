"""The registry wire format: a zero byte, the schema's id, with Protobuf the message indexes, then the value. Pure.

https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format
"""

from __future__ import annotations

from collections.abc import Sequence

from headrace_apps.records.outcome import UnfitError

PREFIX = 5
"""Bytes of the zero and the id."""
_MAX_INDEXES = 64


def render_prefix(schema_id: int) -> bytes:
    return b"\x00" + schema_id.to_bytes(4, "big")


def parse_prefix(value: bytes) -> int:
    """The schema's id. Raises UnfitError without a prefix."""
    if len(value) < PREFIX or value[0] != 0:
        raise UnfitError("the value has no schema id before it (a zero byte and four more)")
    return int.from_bytes(value[1:PREFIX], "big")


def render_indexes(indexes: Sequence[int]) -> bytes:
    """Zig-zag varints: how many, then each; the first message of a file, `[0]`, is a single zero."""
    if list(indexes) == [0]:
        return b"\x00"
    return b"".join(map(_varint, (len(indexes), *indexes)))


def parse_indexes(value: bytes, start: int) -> tuple[tuple[int, ...], int]:
    """The indexes at `start`, and where the message begins. Raises UnfitError."""
    count, at = _read(value, start)
    if count == 0:
        return (0,), at
    if not 0 < count <= _MAX_INDEXES:
        raise UnfitError(f"the value has {count} message indexes")
    indexes = []
    for _ in range(count):
        index, at = _read(value, at)
        indexes.append(index)
    return tuple(indexes), at


def _varint(number: int) -> bytes:
    rest = number << 1
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def _read(value: bytes, at: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        if at >= len(value) or shift > 28:
            raise UnfitError("the value ends within its message indexes")
        byte = value[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (result >> 1) ^ -(result & 1), at
        shift += 7
