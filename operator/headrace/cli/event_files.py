"""Events of a file or standard input, one by one: one JSON object, an array of them, or a line each. For `send`.

The events' own bytes go to the gateway, which judges them: what is no JSON is refused there with its reason, and is
counted, instead of ending the command half way.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO

import msgspec

_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
WHITESPACE = b" \t\r\n"


class NotEventsError(ValueError):
    """An array that cannot be taken apart; the message says where."""


def read_events(stream: BinaryIO) -> Iterator[bytes]:
    """Each event once, as compact as it came. Lines are read as they come, so a pipe can go on for ever.

    A first line that is whole by itself (or is no JSON, but is followed by lines that are) starts lines; otherwise the
    stream is one document over several lines. Raises NotEventsError.
    """
    first = _first_line(stream)
    if not first.startswith(b"[") and (_whole(first) or not first.startswith(b"{")):
        yield from (line for line in chain([first], map(_stripped, stream)) if line)
        return
    text = first + b"\n" + stream.read()
    try:
        events = [bytes(event) for event in _ARRAY.decode(text)] if first.startswith(b"[") else [text]
        if events == [text]:
            json.loads(text)
    except (ValueError, RecursionError) as error:
        if first.startswith(b"["):
            raise NotEventsError(f"is no JSON array: {error}") from error
        # No document as a whole: judged line by line.
        events = text.split(b"\n")
    # A line break within an event stands between its parts, never in a text, where JSON wants it escaped.
    yield from (event for event in map(_stripped, events) if event)


def _first_line(stream: BinaryIO) -> bytes:
    """The first line that is not blank."""
    return next((line for line in map(_stripped, stream) if line), b"")


def _stripped(line: bytes) -> bytes:
    return line.strip(WHITESPACE).replace(b"\n", b" ")


def _whole(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True
