"""How fast: in batches, at most so many a second. For redrives and for `headrace send`."""

from __future__ import annotations

from collections.abc import Callable

MOST_AT_ONCE = 500
"""Of one batch. Letters of a batch are one transaction: a reader of committed records sees all of it or none."""


class Pace:
    """At most `rate` a second, as an average from the first on; None for no limit."""

    def __init__(self, rate: float | None, clock: Callable[[], float], sleep: Callable[[float], object]) -> None:
        self._rate, self._clock, self._sleep = rate, clock, sleep
        self._began: float | None = None
        self._passed = 0

    @property
    def batch(self) -> int:
        """A quarter of a second's share, so that a low rate is even and not a burst every minute."""
        return MOST_AT_ONCE if self._rate is None else max(1, min(MOST_AT_ONCE, int(self._rate / 4)))

    def wait(self, count: int) -> None:
        """Before `count` are sent."""
        if self._rate is None:
            return
        now = self._clock()
        self._began = now if self._began is None else self._began
        due = self._began + self._passed / self._rate
        if due > now:
            self._sleep(due - now)
        self._passed += count
