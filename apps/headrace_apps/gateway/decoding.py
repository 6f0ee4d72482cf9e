"""`Content-Encoding` undone, between the body that was read and the events in it: bounded in size and in work. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Final, Protocol

import zstandard

from headrace_apps.gateway.bodies import too_large
from headrace_apps.gateway.limits import Limits
from headrace_apps.gateway.problems import Problem

ENCODINGS: Final = "gzip, zstd"
MAX_MEMBERS: Final = 200
"""Gzip members or zstd frames of one body. Block-wise compressors make one of every 64 KiB: 161 of the largest body."""
GZIP_SLICE: Final = 2**16
ZSTD_SLICE: Final = 2**9
"""Bytes of input at a time. The zstd library cannot be told how much to put out; four bytes of input are at most one
block of 128 KiB, so that a slice of this size makes no more than 16 MiB."""

Inflate = Callable[[memoryview, int], bytes]
"""Compressed bytes and how many may come of them (which zstd cannot keep to) into plain ones."""


class Inflated(Protocol):
    """How far a member or a frame is."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...


def decode_body(body: bytes, encoding: str | None, limits: Limits) -> bytes:
    """Undo `Content-Encoding`, never producing more than `max_body` bytes. Raises Problem: 413, 415, 400."""
    match (encoding or "identity").strip().lower():
        case "identity" | "":
            return body
        case "gzip" | "x-gzip":
            return _gunzip(body, limits)
        case "zstd":
            return _unzstd(body, limits)
        case other:
            detail = f"Content-Encoding {other[:40]!r} is not understood; use gzip, zstd or none."
            raise Problem(415, "unknown-encoding", detail, headers={"Accept-Encoding": ENCODINGS})


def _gunzip(body: bytes, limits: Limits) -> bytes:
    def inflater() -> tuple[Inflate, Inflated]:
        member = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        return member.decompress, member

    try:
        return _inflate(body, inflater, "gzip", GZIP_SLICE, limits)
    except zlib.error as exc:
        raise Problem(400, "bad-encoding", f"The body is not gzip: {exc}.") from None


def _unzstd(body: bytes, limits: Limits) -> bytes:
    # The window bounds what the decompressor itself may allocate, whatever the frame's header asks for.
    decompressor = zstandard.ZstdDecompressor(max_window_size=2**23)

    def inflater() -> tuple[Inflate, Inflated]:
        frame = decompressor.decompressobj()
        return lambda piece, _: frame.decompress(piece), frame

    try:
        return _inflate(body, inflater, "zstd", ZSTD_SLICE, limits)
    except zstandard.ZstdError as exc:
        raise Problem(400, "bad-encoding", f"The body is not zstd: {exc}.") from None


def _inflate(
    body: bytes, inflater: Callable[[], tuple[Inflate, Inflated]], encoding: str, step: int, limits: Limits
) -> bytes:
    """All members (gzip) or frames (zstd) of the body, each to its end.

    The body goes in by slices of `step` bytes: a member that ends hands back what it was given too much as a copy,
    so with the whole rest as input many small members would cost the square of the body's size.
    """
    rest = memoryview(body)
    plain = bytearray()
    members = 0
    while rest:
        members += 1
        if members > MAX_MEMBERS:
            detail = f"The {encoding} body has more than {MAX_MEMBERS} members; compress the events as one."
            raise Problem(400, "bad-encoding", detail)
        inflate, member = inflater()
        while not member.eof:
            if not rest:
                detail = f"The {encoding} body ends too early; nothing of it was stored."
                raise Problem(400, "bad-encoding", detail)
            piece, rest = rest[:step], rest[step:]
            plain += inflate(piece, limits.max_body + 1 - len(plain))
            if len(plain) > limits.max_body:
                raise too_large(limits)
        rest = memoryview(body)[len(body) - len(rest) - len(member.unused_data) :]
    return bytes(plain)
