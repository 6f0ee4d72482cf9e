"""A circuit breaker before a target: after some outages in a row nobody asks it, but for one probe at a time. Pure.

    closed ── `threshold` outages in a row ──▶ open ── after a pause ──▶ half open ── the probe succeeds ──▶ closed
                                                ▲                            │
                                                └────── it fails; a longer pause ──────┘

An outage is lag: nothing is decided about records while the circuit is open.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from threading import Lock

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
"""Full jitter: a pause is uniform between nothing and a bound that doubles from the first to the longest, so that the
consumers of one target do not all come back at once."""
SHORTEST_PAUSE_SECONDS = 0.05


class State(IntEnum):
    """The numbers are those of the metric."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Breaker:
    """For several threads. `clock` gives monotonic seconds, `jitter` a number from 0 to 1."""

    def __init__(self, clock: Callable[[], float], jitter: Callable[[], float], threshold: int = 3) -> None:
        self._clock = clock
        self._jitter = jitter
        self._threshold = threshold
        self._outages = 0
        self._opened = 0
        self._until = 0.0
        self._probing = False
        self._lock = Lock()
        self.reason = ""
        """What the last outage said."""

    @property
    def state(self) -> State:
        with self._lock:
            if not self._opened:
                return State.CLOSED
            return State.HALF_OPEN if self._probing or self._clock() >= self._until else State.OPEN

    def admit(self) -> float:
        """0: go on, and tell how it went. Else so many seconds until it is worth asking again."""
        with self._lock:
            if not self._opened:
                return 0.0
            left = self._until - self._clock()
            if left > 0:
                return left
            if self._probing:
                return FIRST_PAUSE_SECONDS
            self._probing = True
            return 0.0

    def succeeded(self) -> None:
        """The target answered: also when it refused, since then it is there."""
        with self._lock:
            self._outages = self._opened = 0
            self._probing = False

    def failed(self, reason: str) -> None:
        """The target was away."""
        with self._lock:
            self.reason = reason
            self._outages += 1
            self._probing = False
            if self._outages >= self._threshold:
                self._opened += 1
                bound = min(FIRST_PAUSE_SECONDS * 2 ** min(self._opened, 16), LONGEST_PAUSE_SECONDS)
                self._until = self._clock() + max(SHORTEST_PAUSE_SECONDS, self._jitter() * bound)
