"""What a worker does with a lane's batch: the handler, tried again, cut down to the records that are at fault.

A batch that fails is halved until a single record fails as often as declared; that one goes to the dead letters, and
the others are done. Its order within the partition holds throughout. Used by `runtime`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from threading import Lock
from typing import Protocol

from headrace.core.dead_letter import Reason
from headrace_apps.runtime.dead_letters import Letter
from headrace_apps.runtime.figures import Series
from headrace_apps.runtime.handler import LaneHandler, MovedError, RefusedError, StopError
from headrace_apps.runtime.lanes import Batch
from headrace_apps.runtime.records import Record
from headrace_apps.runtime.retry import WAITED_FOR, Retry

log = logging.getLogger(__name__)


class Letters(Protocol):
    """Where poison goes. Returns when the letters are safe; may raise an OutageError."""

    def write(self, letters: Sequence[Letter]) -> None: ...


class LaneWork:
    """Several workers call it at once."""

    def __init__(
        self,
        handler: LaneHandler,
        retry: Retry,
        attempts: int,
        letters: Letters | None,
        series: Series | None,
    ) -> None:
        self._handler = handler
        self._retry = retry
        self._attempts = attempts
        self._letters = letters
        self._series = series
        self._writing = Lock()

    def __call__(self, batch: Batch) -> None:
        """Return when each record is done or dead-lettered. Raises OutageError when stopped, StopError."""
        # A stack instead of recursion; the earlier half comes first, so the order holds.
        parts = [batch.records]
        while parts:
            part = parts.pop()
            attempts = self._attempts if len(part) == 1 else 1
            try:
                self._retry.call("handle records", partial(self._handler.handle, part), attempts)
            except (*WAITED_FOR, MovedError, StopError):
                raise
            except Exception as error:  # whatever a handler raises about its records
                if len(part) == 1:
                    self._give_up(part[0], error)
                else:
                    log.warning("a batch of %d records failed and is halved: %s", len(part), error)
                    middle = len(part) // 2
                    parts += [part[middle:], part[:middle]]

    def _give_up(self, record: Record, error: Exception) -> None:
        often = "was refused" if isinstance(error, RefusedError) else f"failed {self._attempts} times"
        why = f"{often}: {type(error).__name__}: {error}"
        where = f"partition {record.partition}, offset {record.offset}"
        if self._letters is None:
            raise StopError(f"{where} {why}, and there is no dead-letter topic to put it into") from error
        log.warning("%s becomes a dead letter: %s", where, why)
        letters, letter = self._letters, Letter(record, Reason.FAILED, why)
        with self._writing:
            self._retry.call("write dead letters", lambda: letters.write([letter]), guarded=False)
        if self._series is not None:
            self._series.count_poison(1)
