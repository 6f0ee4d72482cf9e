"""Random records of one topic: in disorder, repeated, late and malformed, the same for each format. Seeded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

PER_SECOND = 50
START_MS = 1_780_000_000_000
USERS = 60
REPEATED, LATE, MALFORMED = 0.05, 0.04, 0.01
MAX_DISORDER_MS, MAX_LATE_MS = 1_500, 90_000

Encode = Callable[[dict[str, Any]], bytes]


@dataclass(frozen=True, slots=True)
class Put:
    """One record as it is produced. `event` None: malformed."""

    key: bytes
    value: bytes | None
    event: dict[str, Any] | None


def random_events(rng: Random, count: int, users: int = USERS) -> list[dict[str, Any] | None]:
    """In order of sending; None stands for a malformed record. `at` in epoch milliseconds."""
    events: list[dict[str, Any] | None] = []
    for number in range(count):
        now = START_MS + number * 1000 // PER_SECOND
        roll = rng.random()
        if roll < REPEATED and events and (earlier := rng.choice(events[-400:])):
            events.append(earlier)
        elif roll < REPEATED + MALFORMED:
            events.append(None)
        else:
            late = rng.random() < LATE
            back = rng.randrange(MAX_LATE_MS) if late else rng.randrange(MAX_DISORDER_MS)
            # Few users come often and most seldom, so that sessions are of every length.
            user = int(users * rng.random() ** 3)
            # Sixteenths: their sums are exact, whatever the order.
            amount = rng.randrange(16_000) / 16
            events.append({"event_id": f"e{number}", "user_id": f"user-{user}", "at": now - back, "amount": amount})
    return events


def puts(events: Sequence[dict[str, Any] | None], encode: Encode, rng: Random) -> list[Put]:
    """Keys and bytes. What is malformed is a valid record that was cut, or garbage."""
    made: list[Put] = []
    sample = encode({"event_id": "x", "user_id": "x", "at": START_MS, "amount": 1.0})
    for event in events:
        if event is None:
            made.append(Put(b"outsider", rng.choice((sample[:-1], b"garbage", b"", None)), None))
        else:
            made.append(Put(str(event["user_id"]).encode(), encode(event), event))
    return made
