"""What a consumer is made of: the handler protocols, and the errors by which a handler tells what went wrong.

- `OutageError`: the target is away. The batch waits, for ever; it is lag, never a dead letter.
- `MovedError`: somebody else has done the batch; positions are read again.
- `StopError`: only a person can mend it; the consumer ends with it.
- `RefusedError`: the target is there and does not take these records; trying again changes nothing.
- anything else: these records. After the declared attempts they are poison.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from headrace_apps.runtime.lanes import Batch
from headrace_apps.runtime.records import Record


class OutageError(Exception):
    """The target does not answer, or not now."""


class MovedError(Exception):
    """The positions that a batch began with are not those that are stored."""


class StopError(Exception):
    """Waiting and trying again will not help; the message says what to do."""


class RefusedError(Exception):
    """One or some of the records that were handed over are at fault."""


class LaneHandler(Protocol):
    """A batch of one partition, on a worker thread; the batches of a partition come one after the other.

    Returning means done: the group's offset is committed after it. A batch may come again after a crash, and in
    pieces when it failed, so the work has to be idempotent.
    """

    def handle(self, records: Sequence[Record]) -> None: ...


class JoinedHandler(Protocol):
    """One batch over all assigned partitions, all calls on one thread; the handler keeps the positions itself."""

    def find_positions(self, partitions: Sequence[int]) -> Mapping[int, int]:
        """Where to read each of these from; asked at every assignment, and after a MovedError."""

    def handle(self, batch: Batch) -> None:
        """Do the batch and store the ends of its spans with it. It may have no record, only markers to step over."""
