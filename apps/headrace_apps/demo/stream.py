"""The stream of events to send: clicks, real records, repeats, refusals and stragglers, stamped when they leave.

Pure but for its random numbers: time comes in as an argument. What it promises to the sender, who sends its batches
one after the other: event time goes back by at most `MAX_DISORDER_MS` between any two events in order of sending,
which is inside the topic's outOfOrderness; so nothing but `late_events` is ever late.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from uuid import UUID

from headrace_apps.demo.clickstream import OUT_OF_ORDERNESS_MS, WINDOW_MS, rfc3339, window_start
from headrace_apps.demo.ledger import Kind, Sent
from headrace_apps.demo.replay import Purchase
from headrace_apps.demo.sessions import Sessions

MAX_DISORDER_MS = 1_200
REPEAT_WITHIN_MS = 1_000
LATE_BY_MS = 1_800_000
# Long after any window closed, and well inside the hour for which an id is remembered: a retry is still a duplicate.

INVALID: tuple[dict[str, object], ...] = (
    {"user_id": None},
    {"user_id": ""},
    {"page": "no-slash"},
    {"page": ["/"]},
    {"amount": -1},
    {"amount": "12.50"},
    {"occurred_at": "yesterday"},
    {"event_id": 12345},
)


@dataclass(frozen=True, slots=True)
class Mix:
    """Shares of all events, and the numbers of those that come in a known count."""

    duplicates: float = 0.01
    invalid: float = 0.005
    stragglers: float = 0.02
    """Stamped now, sent up to 0.9 s later: the disorder of real clients."""
    replay: float = 0.05
    late: int = 24


@dataclass(frozen=True, slots=True)
class _Held:
    sent: Sent
    stamp: int
    release: int


class ClickStream:
    """Batches on demand. `now` is epoch milliseconds; it must not go back from call to call."""

    def __init__(self, rng: Random, mix: Mix, purchases: Sequence[Purchase]) -> None:
        self._rng = rng
        self._mix = mix
        self._sessions = Sessions(rng)
        self._purchases = deque(purchases)
        self._recent: deque[tuple[int, Sent]] = deque(maxlen=500)
        self._held: list[_Held] = []
        self.newest_ms = 0

    def next_batch(self, now: int, count: int) -> list[Sent]:
        """`count` events stamped `now`, but stragglers are held back and earlier ones that are due come first."""
        if self.take_held(now - MAX_DISORDER_MS, peek=True):
            raise ValueError("stragglers are overdue: send take_held() first")
        due = [(held.stamp, held.sent) for held in self._held if held.release <= now]
        self._held = [held for held in self._held if held.release > now]
        self.newest_ms = max(self.newest_ms, now)
        for _ in range(count):
            sent = self._next(now)
            if sent.kind is Kind.CLICK and self._rng.random() < self._mix.stragglers:
                self._held.append(_Held(sent, now, now + self._rng.randrange(200, 900)))
            else:
                due.append((now, sent))
        # Only what left in an earlier batch can be repeated, and its age counts from its stamp.
        self._recent.extend(item for item in due if item[1].kind in (Kind.CLICK, Kind.REPLAY))
        return [sent for _, sent in due]

    def take_held(self, stamped_before: int, *, peek: bool = False) -> list[Sent]:
        """Stragglers stamped before that time, all of them if any: after a pause they leave before newer events."""
        if not any(held.stamp <= stamped_before for held in self._held):
            return []
        held = [held.sent for held in self._held]
        if not peek:
            self._held = []
        return held

    def late_events(self, started: int, count: int) -> list[Sent]:
        """Events of half an hour before the start; send them only when a later window's result was seen."""
        return [
            self._stamp(Kind.LATE, self._sessions.next_click(), started - LATE_BY_MS + self._rng.randrange(60_000))
            for _ in range(count)
        ]

    def closing_events(self, attempt: int, count: int) -> list[Sent]:
        """Events whose time closes every window before theirs: beyond the last one's end and outOfOrderness.

        Enough different users reach every partition; who sends them asks for more until the answers name all.
        """
        closes = window_start(self.newest_ms) + WINDOW_MS + OUT_OF_ORDERNESS_MS + 1_000
        return [
            self._stamp(Kind.CLOSING, {"user_id": f"closing-{attempt}-{n}", "page": "/closing"}, closes)
            for n in range(count)
        ]

    def _next(self, now: int) -> Sent:
        roll = self._rng.random()
        mix = self._mix
        if roll < mix.duplicates:
            # A repeat that comes after its window closed would be late, not a duplicate: keep them close together.
            recent = [sent for stamp, sent in self._recent if now - stamp <= REPEAT_WITHIN_MS]
            if recent:
                return replace(self._rng.choice(recent), kind=Kind.DUPLICATE)
        elif roll < mix.duplicates + mix.invalid:
            valid = self._stamp(Kind.INVALID, self._sessions.next_click(), now)
            return replace(valid, event=(valid.event or {}) | self._rng.choice(INVALID))
        elif roll < mix.duplicates + mix.invalid + mix.replay and self._purchases:
            return self._stamp(Kind.REPLAY, self._purchases.popleft().to_click(), now)
        return self._stamp(Kind.CLICK, self._sessions.next_click(), now)

    def _stamp(self, kind: Kind, click: dict[str, object], ms: int) -> Sent:
        identity = str(UUID(int=self._rng.getrandbits(128), version=4))
        return Sent(identity, kind, {"event_id": identity, **click, "occurred_at": rfc3339(ms)})
