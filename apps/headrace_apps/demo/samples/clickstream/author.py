"""What the shop's visitors send: clicks of their walks (visitors.py), and real purchases (purchases.py)."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from random import Random
from uuid import UUID

from headrace_apps.demo.ledger import Sent
from headrace_apps.demo.moments import rfc3339
from headrace_apps.demo.samples.clickstream.names import CLICKS, GAP_MS, OUT_OF_ORDERNESS_MS, WINDOW_MS
from headrace_apps.demo.samples.clickstream.purchases import Purchase
from headrace_apps.demo.samples.clickstream.visitors import Visitors
from headrace_apps.demo.stream import Event

BREAKS: tuple[Mapping[str, object], ...] = (
    {"user_id": None},
    {"user_id": ""},
    {"page": "no-slash"},
    {"page": ["/"]},
    {"amount": -1},
    {"amount": "12.50"},
    {"occurred_at": "yesterday"},
    {"event_id": 12345},
)


class Shop:
    """An `Author` (stream.py)."""

    topic, id_field, breaks = CLICKS, "event_id", BREAKS
    closes_after_ms = max(WINDOW_MS, GAP_MS) + OUT_OF_ORDERNESS_MS + 1_000

    def __init__(self, rng: Random, purchases: Sequence[Purchase]) -> None:
        self._rng = rng
        self._visitors = Visitors(rng)
        self._purchases = deque(purchases)

    def compose(self, now: int) -> Event:
        return self._event(self._visitors.next_click(), now)

    def replay(self, now: int) -> Event | None:
        return self._event(self._purchases.popleft().to_click(), now) if self._purchases else None

    def closing(self, name: str, at: int) -> Event:
        return self._event({"user_id": name, "page": "/closing"}, at)

    def references(self, now: int) -> list[Sent]:  # noqa: ARG002 - clicks refer to nothing
        return []

    def closing_references(self, at: int) -> list[Sent]:  # noqa: ARG002
        return []

    def _event(self, click: Mapping[str, object], ms: int) -> Event:
        identity = str(UUID(int=self._rng.getrandbits(128), version=4))
        return {"event_id": identity, **click, "occurred_at": rfc3339(ms)}
