"""The demo's figures, taken from outside of the parts: written by the watchers, read by the live view and the drain."""

from __future__ import annotations

import threading
import time
from array import array
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from headrace_apps.demo.ledger import Kind, Sent

RECENT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Seconds, of `count` events."""

    p50: float
    p95: float
    count: int


def percentiles(values: Sequence[float]) -> Percentiles | None:
    """Nearest-rank percentiles; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    return Percentiles(
        ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, len(ordered) * 95 // 100)], len(ordered)
    )


class CatchUp:
    """Whether the outputs have caught up with the traffic: what was accepted two seconds ago is processed.

    Before that, what is measured is the backlog of the parts' start, not their latency.
    """

    def __init__(self, behind_seconds: float = 2.0) -> None:
        self._behind = behind_seconds
        self._accepted: deque[tuple[float, int]] = deque()

    def reached(self, now: float, accepted: int, processed: int) -> bool:
        """Call it again and again, with counts as they are `now`."""
        self._accepted.append((now, accepted))
        while len(self._accepted) > 1 and self._accepted[1][0] <= now - self._behind:
            self._accepted.popleft()
        then, accepted_then = self._accepted[0]
        return then <= now - self._behind and 0 < accepted_then <= processed


class Latencies:
    """From an event's first attempt over HTTP to its reading out of the API, both on this process's clock."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._sent: dict[str, float] = {}
        self._all = array("f")
        self._recent: deque[tuple[float, float]] = deque()

    def sent(self, batch: Sequence[Sent]) -> None:
        """Note when these left; of repeats the first counts."""
        now = self._clock()
        with self._lock:
            for one in batch:
                if one.kind in (Kind.EVENT, Kind.REPLAY):
                    self._sent[one.id] = now

    def seen(self, identities: Sequence[str]) -> None:
        now = self._clock()
        with self._lock:
            for identity in identities:
                if (sent := self._sent.pop(identity, None)) is not None:
                    self._all.append(now - sent)
                    self._recent.append((now, now - sent))
            while self._recent and self._recent[0][0] < now - RECENT_SECONDS:
                self._recent.popleft()

    def restart(self) -> None:
        """Forget what was measured so far, and what is under way."""
        with self._lock:
            self._sent.clear()
            self._all = array("f")
            self._recent.clear()

    def recent(self) -> Percentiles | None:
        """Of the last ten seconds."""
        with self._lock:
            values = [latency for _, latency in self._recent]
        return percentiles(values)

    def overall(self) -> Percentiles | None:
        with self._lock:
            values = self._all.tolist()
        return percentiles(values)


@dataclass(slots=True)
class Figures:
    """What the outside sees of one pipeline. Counts are records."""

    stored: int = 0
    processed: int = 0
    """Read out of the followed output through the API."""
    written: Counter[str] = field(default_factory=Counter)
    """Committed records by topic, of those that jobs write."""
    letters: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Dead letters by stage and reason."""
    loaded: Counter[str] = field(default_factory=Counter)
    """Rows by sink."""
    first_result: float | None = None
    caught_up: float | None = None
    """When the latencies began to count (see CatchUp)."""
    latencies: Latencies = field(default_factory=Latencies)
    troubles: dict[str, str] = field(default_factory=dict)
    """Why a watcher gets no figure at the moment, by watcher."""

    @property
    def late(self) -> int:
        return sum(count for (_, reason), count in self.letters.items() if reason == "Late")

    @property
    def dead_lettered(self) -> int:
        return sum(self.letters.values())
