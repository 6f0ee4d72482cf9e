"""The run of a redrive or a discard: selected letters in batches, at most so many a second. Below the command."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol, TypeVar

from headrace_apps.dead_letters.letter import Letter
from headrace_apps.dead_letters.outgoing import Kept, Outgoing

MOST_AT_ONCE = 500
"""Letters of one transaction: a reader of committed records sees none of it before all are there."""

T = TypeVar("T")


class Resolving(Protocol):
    """`resolver.Resolver`; a test brings its own."""

    def redrive(self, batch: Sequence[Outgoing]) -> None: ...

    def discard(self, letters: Sequence[Letter]) -> None: ...


class Pace:
    """At most `rate` letters a second, as an average from the first on; None for no limit."""

    def __init__(self, rate: float | None, clock: Callable[[], float], sleep: Callable[[float], object]) -> None:
        self._rate, self._clock, self._sleep = rate, clock, sleep
        self._began: float | None = None
        self._passed = 0

    @property
    def batch(self) -> int:
        """A quarter of a second's letters, so that a low rate is even and not a burst every minute."""
        return MOST_AT_ONCE if self._rate is None else max(1, min(MOST_AT_ONCE, int(self._rate / 4)))

    def wait(self, count: int) -> None:
        """Before `count` letters are sent."""
        if self._rate is None:
            return
        now = self._clock()
        self._began = now if self._began is None else self._began
        due = self._began + self._passed / self._rate
        if due > now:
            self._sleep(due - now)
        self._passed += count


@dataclass
class Done:
    """`done` letters are resolved; `kept_count` are not; `kept` says why of the first `MOST_AT_ONCE` of those."""

    done: int = 0
    kept_count: int = 0
    kept: list[Kept] = field(default_factory=list)


def redrive(
    letters: Iterable[Letter],
    prepare: Callable[[Letter], Outgoing | Kept],
    resolver: Resolving,
    pace: Pace,
    tell: Callable[[Done], object],
) -> Done:
    """Sends each letter again that can be; `tell` hears after each batch. Raises what the resolver raises."""
    result = Done()
    for batch in batched(letters, pace.batch):
        ready: list[Outgoing] = []
        for letter in batch:
            prepared = prepare(letter)
            if isinstance(prepared, Outgoing):
                ready.append(prepared)
                continue
            result.kept_count += 1
            if len(result.kept) < MOST_AT_ONCE:
                result.kept.append(prepared)
        if ready:
            pace.wait(len(ready))
            resolver.redrive(ready)
            result.done += len(ready)
        tell(result)
    return result


def discard(letters: Iterable[Letter], resolver: Resolving, tell: Callable[[Done], object]) -> Done:
    """Marks each letter as discarded."""
    result = Done()
    for batch in batched(letters, MOST_AT_ONCE):
        resolver.discard(batch)
        result.done += len(batch)
        tell(result)
    return result


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
