"""How many events are due when: a day compressed into a minute, and bursts. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

BURST_SECONDS = 2.0
BURST_FACTOR = 2.0


@dataclass(frozen=True, slots=True)
class Rhythm:
    """`base` events per second on average; `swing` 0 keeps it flat, `bursts` are start times in seconds."""

    base: float
    swing: float = 0.4
    day_seconds: float = 60.0
    bursts: tuple[float, ...] = ()

    def rate_at(self, seconds: float) -> float:
        """Events per second, `seconds` after the start. The day begins at its mean, rising."""
        rate = self.base * (1 + self.swing * math.sin(2 * math.pi * seconds / self.day_seconds))
        if any(start <= seconds < start + BURST_SECONDS for start in self.bursts):
            rate *= BURST_FACTOR
        return rate


def daily(base: float, rng: Random, *, horizon_seconds: float = 24 * 3600) -> Rhythm:
    """The demo's rhythm: a swing of 40 % and a burst of two seconds every 15 to 25 s."""
    bursts, at = [], 0.0
    while at < horizon_seconds:
        at += rng.uniform(15, 25)
        bursts.append(at)
    # Bursts add a tenth to the average.
    return Rhythm(base / (1 + BURST_SECONDS / 20 * (BURST_FACTOR - 1)), bursts=tuple(bursts))


def steady(base: float) -> Rhythm:
    """The same rate all the time, for measuring."""
    return Rhythm(base, swing=0.0)
