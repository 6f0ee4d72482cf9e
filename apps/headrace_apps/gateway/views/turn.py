"""One run of the consumer runtime over a view's store: what it began ends before the next run. Under `follower`.

A runtime that ends with an error waits for its worker for a while, not for ever, and what its worker has in its queue
still comes. A store has one writer: were the next run to begin meanwhile, an older batch could be written behind a
newer one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Protocol

from headrace_apps.runtime import Batch, JoinedHandler, Seen, StopError


class WatchingHandler(JoinedHandler, Protocol):
    """A joined handler that is told where the topic begins and ends."""

    def watched(self, seen: Seen) -> None: ...


class Turn:
    """Hands on to `handler` until `end`; raises StopError after it."""

    def __init__(self, handler: WatchingHandler) -> None:
        self._handler = handler
        self._working = Lock()
        self._ended = False

    def end(self) -> None:
        """Blocks while the handler is at work; it is not called again."""
        with self._working:
            self._ended = True

    def find_positions(self, partitions: Sequence[int]) -> Mapping[int, int]:
        with self._working:
            self._check()
            return self._handler.find_positions(partitions)

    def handle(self, batch: Batch) -> None:
        with self._working:
            self._check()
            self._handler.handle(batch)

    def watched(self, seen: Seen) -> None:
        with self._working:
            self._check()
            self._handler.watched(seen)

    def _check(self) -> None:
        if self._ended:
            raise StopError("its run of the reader has ended")
