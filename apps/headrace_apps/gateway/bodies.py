"""A request body into the raw bytes of each event: read within bounds, split, never reserialised.

`read_body` does the I/O; `split_events` is pure. Between them `decoding` undoes a `Content-Encoding`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import msgspec
from fastapi import Request
from starlette.requests import ClientDisconnect

from headrace_apps.gateway.limits import Limits
from headrace_apps.gateway.problems import Problem

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
MEDIA_TYPES: Final = {JSON: JSON, NDJSON: NDJSON, "application/ndjson": NDJSON, "application/jsonl": NDJSON}
WHITESPACE: Final = b" \t\r\n"

_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])


class MemoryBudget:
    """The bytes of all bodies that are in memory at once; the bound is what keeps many large requests from it."""

    def __init__(self, limits: Limits) -> None:
        self._limit = limits.max_bytes_in_flight
        self._used = 0

    @contextmanager
    def share(self) -> Iterator[Callable[[int], None]]:
        """Yield a function that takes bytes, raising Problem 429 when there are none left; all return at the end."""
        taken = 0

        def take(size: int) -> None:
            nonlocal taken
            if self._used + size > self._limit:
                raise at_capacity("bytes")
            self._used += size
            taken += size

        try:
            yield take
        finally:
            self._used -= taken


def at_capacity(what: str) -> Problem:
    detail = f"The gateway holds as many {what} as it may; nothing of this request was stored, so send it again."
    return Problem(429, "at-capacity", detail, headers={"Retry-After": "1"})


async def read_body(request: Request, limits: Limits, take: Callable[[int], None]) -> bytes:
    """The body as sent. Raises Problem: 413 when too large, 408 when too slow, 429 when there is no memory for it."""
    declared = request.headers.get("content-length")
    if declared is not None and declared.isdecimal() and int(declared[:20]) > limits.max_body:
        raise too_large(limits)
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(limits.body_timeout):
            async for chunk in request.stream():
                size += len(chunk)
                if size > limits.max_body:
                    raise too_large(limits)
                take(len(chunk))
                chunks.append(chunk)
    except TimeoutError:
        detail = f"The body did not arrive within {limits.body_timeout:g} s; nothing of it was stored."
        raise Problem(408, "body-timeout", detail, headers={"Connection": "close"}) from None
    except ClientDisconnect:
        raise Problem(400, "client-gone", "The client closed the connection before the body ended.") from None
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def too_large(limits: Limits) -> Problem:
    detail = f"A request may have {limits.max_body} bytes, decompressed; send the events in smaller batches."
    # The rest of the body is not read, so the connection cannot serve another request.
    return Problem(413, "body-too-large", detail, headers={"Connection": "close"}, maxBytes=limits.max_body)


def split_events(body: bytes, content_type: str | None, limits: Limits) -> tuple[list[bytes], bool]:
    """The events' own bytes in their order, and whether the caller sent a batch (an array or NDJSON).

    A single event is returned as it is, JSON or not: judging it is not this function's. Raises Problem: 400 when
    there is no event or the array cannot be taken apart, 413 when there are too many, 415 for another type.
    """
    media_type = MEDIA_TYPES.get((content_type or "").partition(";")[0].strip().lower())
    if media_type is None:
        detail = (
            f"Send events as {JSON} (one object or an array) or {NDJSON}, not {(content_type or 'nothing')[:80]!r}."
        )
        raise Problem(415, "unknown-media-type", detail, headers={"Accept-Post": f"{JSON}, {NDJSON}"})
    if media_type is NDJSON:
        # Only LF and CRLF end a line; bytes.splitlines() would also split at a lone CR.
        events = [event for line in body.split(b"\n") if (event := line.strip(WHITESPACE))]
        return _bounded(events, limits), True
    plain = body.strip(WHITESPACE)
    if not plain.startswith(b"["):
        if not plain:
            raise Problem(400, "no-events", "The body is empty: send an event, an array of events, or NDJSON.")
        return [plain], False
    try:
        events = [bytes(event) for event in _ARRAY.decode(plain)]
    except (msgspec.DecodeError, RecursionError) as exc:
        detail = f"The array is not JSON and nothing of it was stored: {exc}. NDJSON is judged line by line."
        raise Problem(400, "not-json", detail) from None
    return _bounded(events, limits), True


def _bounded(events: list[bytes], limits: Limits) -> list[bytes]:
    if not events:
        raise Problem(400, "no-events", "The batch is empty: send at least one event.")
    if len(events) > limits.max_events:
        detail = f"{len(events)} events in one request; at most {limits.max_events}. Send smaller batches."
        raise Problem(413, "too-many-events", detail, maxEvents=limits.max_events)
    return events
