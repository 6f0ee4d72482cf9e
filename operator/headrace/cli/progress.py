"""A word on standard error when something takes longer than two seconds, and every two seconds from then on."""

from __future__ import annotations

import time
from collections.abc import Callable

import typer

QUIET_SECONDS = 2.0


class Progress:
    """Call it with how far the work is; `words` makes a line of that."""

    def __init__(
        self,
        words: Callable[[int], str],
        clock: Callable[[], float] = time.monotonic,
        say: Callable[[str], object] | None = None,
    ) -> None:
        self._words, self._clock = words, clock
        self._say = say or (lambda line: typer.echo(line, err=True))
        self._told = clock()

    def __call__(self, count: int) -> None:
        now = self._clock()
        if now - self._told >= QUIET_SECONDS:
            self._told = now
            self._say(self._words(count))


def reading(topic: str) -> Progress:
    return Progress(lambda count: f"… {count:,} records of {topic} read")
