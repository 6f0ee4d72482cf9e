"""How far one partition is: what is finished, what is in work, what was read. Pure; held by a lane.

    finished ≤ (end of the work) ≤ next

Offsets are not counted but remembered: transaction markers and what compaction removed have offsets and no records, so
the distance between two offsets says nothing about work. An offset without a record is finished with the one before it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """One partition's part of a batch: offsets from `start` to before `end`."""

    start: int
    end: int


class Progress:
    """One partition of a lane."""

    __slots__ = ("_in_work", "behind_last", "finished", "next")

    def __init__(self, position: int) -> None:
        self.finished = position
        """Everything before it is done with, and so may be committed."""
        self.next = position
        """The next offset to read."""
        self.behind_last = position
        """Behind the last record that was taken."""
        self._in_work: int | None = None

    def read_to(self, following: int) -> None:
        """The reader stands at `following`: behind a record, or at the end of the partition."""
        self.next = max(self.next, following)

    def take(self, offset: int) -> None:
        """There is a record at this offset."""
        self.next = self.behind_last = offset + 1

    @property
    def position(self) -> int:
        """What may be committed: everything before it is done with, or was never a record."""
        return self.finished if self.finished < self.behind_last else self.next

    def is_new(self, offset: int) -> bool:
        """False for a record from before a seek, which may still come out of the client's queue."""
        return offset >= self.next

    def start(self, end: int) -> Span:
        """Everything up to `end` goes into work."""
        assert self._in_work is None, "one batch of a partition at a time"  # noqa: S101 - the lane's promise
        assert self.finished <= end <= self.next  # noqa: S101
        self._in_work = end
        return Span(self.finished, end)

    def finish(self) -> None:
        """What was in work is done with."""
        if self._in_work is not None:
            self.finished, self._in_work = self._in_work, None

    @property
    def working(self) -> bool:
        return self._in_work is not None
