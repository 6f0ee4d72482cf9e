"""Records that no reader can turn into a row, as an external producer might write them."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from uuid import UUID

from headrace_apps.demo.moments import rfc3339
from headrace_apps.demo.wire import Wire

Break = Callable[[dict[str, object]], bytes | None]


def _text(event: dict[str, object]) -> str:
    return json.dumps(event, separators=(",", ":"))


def _without(field: str) -> Break:
    return lambda event: _text({k: v for k, v in event.items() if k != field}).encode()


def _with(field: str, value: object) -> Break:
    return lambda event: _text(event | {field: value}).encode()


BREAKS: dict[str, Break] = {
    "cut off": lambda event: _text(event)[:-9].encode(),
    "not JSON": lambda _: b"<click page='/'/>",
    "empty": lambda _: b"",
    "not UTF-8": lambda event: _text(event).encode().replace(b"/", b"\xff\xfe"),
    "an array": lambda event: f"[{_text(event)}]".encode(),
    "a string": lambda _: b'"click"',
    "two documents": lambda event: (_text(event) * 2).encode(),
    "duplicate key": lambda event: (_text(event)[:-1] + ',"page":"/other"}').encode(),
    "no user": _without("user_id"),
    "null page": _with("page", None),
    "number for a text": _with("user_id", 42),
    "text for a number": _with("amount", "9.99"),
    "no time": _with("occurred_at", "yesterday"),
    "time without offset": _with("occurred_at", "2026-11-22T19:01:00"),
    "tombstone": lambda _: None,
}


def malformed_records(rng: Random, wire: Wire) -> list[tuple[str, bytes | None]]:  # noqa: ARG001 - JSON needs no ids
    """One record of each kind; the contents are a valid click before they are broken."""
    return [(name, broken(_click(rng))) for name, broken in BREAKS.items()]


def _click(rng: Random) -> dict[str, object]:
    return {
        "event_id": str(UUID(int=rng.getrandbits(128), version=4)),
        "user_id": f"external-{rng.randrange(1000)}",
        "page": "/malformed",
        "occurred_at": rfc3339(rng.randrange(1_700_000_000_000, 1_800_000_000_000)),
    }
