"""Records in the registry's wire format that no reader can turn into a row. Pure but for the schema ids it is given."""

from __future__ import annotations

import struct

HEADER = 5  # a zero byte and the schema's id, big-endian
NO_SUCH_ID = 2_000_000_000


def broken_frames(value: bytes, other_id: int, text: bytes) -> list[tuple[str, bytes | None]]:
    """One of each kind. `value`: a valid record; `other_id`: a schema of another subject; `text`: the event in JSON."""
    return [
        ("cut off", value[:-1]),
        ("cut in half", value[: len(value) // 2]),
        ("bytes behind the record", value + b"\x07\x07\x07"),
        ("header alone", value[:HEADER]),
        ("half a header", value[:3]),
        ("empty", b""),
        ("no header", value[HEADER:]),
        ("JSON", text),
        ("unknown schema", _with_id(value, NO_SUCH_ID)),
        ("schema of another subject", _with_id(value, other_id)),
        ("another magic byte", b"\x01" + value[1:]),
        ("tombstone", None),
    ]


def _with_id(value: bytes, identity: int) -> bytes:
    return value[:1] + struct.pack(">I", identity) + value[HEADER:]
