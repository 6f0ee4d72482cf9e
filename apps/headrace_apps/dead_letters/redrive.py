"""The run of a redrive or a discard: selected letters in batches, at most so many a second. Below the command."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol, TypeVar

from headrace_apps.dead_letters.letter import Letter
from headrace_apps.dead_letters.outgoing import Kept, Outgoing
from headrace_apps.dead_letters.pace import MOST_AT_ONCE, Pace

T = TypeVar("T")


class Resolving(Protocol):
    """`resolver.Resolver`; a test brings its own."""

    def redrive(self, batch: Sequence[Outgoing]) -> None: ...

    def discard(self, letters: Sequence[Letter]) -> None: ...


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
