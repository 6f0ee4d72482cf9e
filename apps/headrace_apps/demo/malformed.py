"""Records that no reader can turn into a row, as an external producer might write them."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from uuid import UUID

from headrace_apps.demo.clickstream import rfc3339
from headrace_apps.demo.ledger import Kind, Sent

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


def malformed_records(rng: Random) -> list[Sent]:
    """One record of each kind, in random order; ids are unique, the contents a valid click before they are broken."""
    records = []
    for name, broken in BREAKS.items():
        identity = str(UUID(int=rng.getrandbits(128), version=4))
        click: dict[str, object] = {
            "event_id": identity,
            "user_id": f"external-{rng.randrange(1000)}",
            "page": "/malformed",
            "occurred_at": rfc3339(rng.randrange(1_700_000_000_000, 1_800_000_000_000)),
        }
        records.append(Sent(f"{name.replace(' ', '-')}/{identity}", Kind.MALFORMED, raw=broken(click)))
    rng.shuffle(records)
    return records
