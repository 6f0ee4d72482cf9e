"""Threads that run work and hand the outcome back to the loop. Under `runtime`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple


class Outcome(NamedTuple):
    """What came of a piece of work; `error` None: it is done. `what` is what it was submitted for."""

    what: Any
    error: BaseException | None


class Workers:
    """`count` threads. They end with the process: a handler that never returns must not keep it from stopping."""

    def __init__(self, count: int, name: str) -> None:
        self._work: SimpleQueue[tuple[Any, Callable[[], object]] | None] = SimpleQueue()
        self._done: SimpleQueue[Outcome] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True) for number in range(count)
        ]
        self._under_way = 0
        for thread in self._threads:
            thread.start()

    def submit(self, what: Any, work: Callable[[], object]) -> None:
        """From the loop's thread only, as are the other methods."""
        self._under_way += 1
        self._work.put((what, work))

    @property
    def under_way(self) -> int:
        """Pieces whose outcome was not collected yet."""
        return self._under_way

    def collect(self, seconds: float = 0.0) -> Outcome | None:
        """An outcome, if there is one or one comes within so many seconds."""
        if not self._under_way or (seconds <= 0 and self._done.empty()):
            return None
        try:
            outcome = self._done.get(timeout=max(seconds, 0.001))
        except Empty:
            return None
        self._under_way -= 1
        return outcome

    def close(self) -> None:
        """No more work; what is under way goes on."""
        for _ in self._threads:
            self._work.put(None)

    def _run(self) -> None:
        while (item := self._work.get()) is not None:
            what, work = item
            try:
                work()
            except BaseException as error:  # the loop decides what it means
                self._done.put(Outcome(what, error))
            else:
                self._done.put(Outcome(what, None))
