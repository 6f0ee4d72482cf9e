"""The run of a redrive or a discard: selected letters in batches, at most so many a second. Below the command."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol, TypeVar

from headrace_apps.dead_letters.letter import Letter
from headrace_apps.dead_letters.outgoing import Kept, Outgoing
from headrace_apps.dead_letters.pace import MOST_AT_ONCE, Pace
from headrace_apps.dead_letters.resolver import TooLargeError

T = TypeVar("T")


class Resolving(Protocol):
    """`resolver.Resolver`; a test brings its own."""

    def redrive(self, batch: Sequence[Outgoing]) -> None:
        """All of them or none. Raises TooLargeError for letters that it cannot be done with."""

    def discard(self, letters: Sequence[Letter]) -> None: ...


@dataclass
class Done:
    """`done` letters are resolved; `kept_count` are not; `kept` says why of the first `MOST_AT_ONCE` of those."""

    done: int = 0
    kept_count: int = 0
    kept: list[Kept] = field(default_factory=list)

    def keep(self, kept: Kept) -> None:
        self.kept_count += 1
        if len(self.kept) < MOST_AT_ONCE:
            self.kept.append(kept)


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
            else:
                result.keep(prepared)
        if ready:
            pace.wait(len(ready))
            result.done += _sent(ready, resolver, result)
        tell(result)
    return result


def _sent(ready: Sequence[Outgoing], resolver: Resolving, result: Done) -> int:
    """How many were; what Kafka takes at no time is kept, and costs the others nothing."""
    while ready:
        try:
            resolver.redrive(ready)
        except TooLargeError as error:
            if len(error.why) > 1:
                # A broker refuses all that came to it in one request, and each may fit: alone, it is seen which do.
                return sum(_sent([outgoing], resolver, result) for outgoing in ready)
            for outgoing in ready:
                if (why := error.why.get(outgoing.letter.place)) is not None:
                    result.keep(Kept(outgoing.letter, why))
            ready = [outgoing for outgoing in ready if outgoing.letter.place not in error.why]
        else:
            break
    return len(ready)


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
