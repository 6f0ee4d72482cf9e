"""What a view is kept in. `ViewStore` is the whole interface; here it is in memory, another may keep it on disk.

`apply` takes records and the positions after them as one step: a store that outlives the process can resume from its
own positions and never holds a record that they do not cover, or the other way round.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sortedcontainers import SortedDict

EXPIRED_AT_ONCE = 1_000
"""Entries dropped between two chances for the readers (about a millisecond)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The latest record of a key; `timestamp` is the record's, epoch milliseconds."""

    value: bytes
    partition: int
    offset: int
    timestamp: int


@dataclass(frozen=True, slots=True)
class Change:
    """A record of the topic. `entry` None: the key is deleted."""

    key: bytes
    entry: Entry | None


class ViewStore(Protocol):
    """Written by one thread, read by others; keys are ordered by their bytes."""

    def apply(self, changes: Sequence[Change], positions: Mapping[int, int]) -> None:
        """Make the changes in their order and remember where the topic was read up to, both or neither."""

    def expire(self, earliest: Mapping[int, int]) -> int:
        """Drop the entries whose record lies before the earliest offset of its partition; how many there were."""

    def get(self, key: bytes) -> Entry | None: ...

    def scan(self, after: bytes | None, limit: int) -> list[tuple[bytes, Entry]]:
        """Up to `limit` entries in key order, beginning behind `after`."""

    def positions(self) -> Mapping[int, int]:
        """The next offset to read per partition; empty in a new store."""

    def count(self) -> int: ...

    def close(self) -> None: ...


class MemoryViewStore:
    """A sorted dictionary behind a lock; lost with the process, so a follower reads the topic again."""

    def __init__(self) -> None:
        self._entries: SortedDict[bytes, Entry] = SortedDict()
        self._positions: dict[int, int] = {}
        self._expired: dict[int, int] = {}
        self._lock = threading.Lock()

    def apply(self, changes: Sequence[Change], positions: Mapping[int, int]) -> None:
        with self._lock:
            for change in changes:
                if change.entry is None:
                    self._entries.pop(change.key, None)
                else:
                    self._entries[change.key] = change.entry
            self._positions.update(positions)

    def expire(self, earliest: Mapping[int, int]) -> int:
        moved = {p: offset for p, offset in earliest.items() if offset > self._expired.get(p, 0)}
        if not moved:
            return 0
        # Only this thread writes, so the long look at all entries needs no lock that would hold up the readers.
        gone = [key for key, entry in self._entries.items() if entry.offset < moved.get(entry.partition, 0)]
        for start in range(0, len(gone), EXPIRED_AT_ONCE):
            with self._lock:
                for key in gone[start : start + EXPIRED_AT_ONCE]:
                    del self._entries[key]
        # Where the reader is not there yet, records from before may still come out of its queue.
        self._expired.update({p: offset for p, offset in moved.items() if self._positions.get(p, 0) >= offset})
        return len(gone)

    def get(self, key: bytes) -> Entry | None:
        with self._lock:
            entry: Entry | None = self._entries.get(key)
            return entry

    def scan(self, after: bytes | None, limit: int) -> list[tuple[bytes, Entry]]:
        with self._lock:
            start = 0 if after is None else self._entries.bisect_right(after)
            keys = self._entries.keys()[start : start + limit]
            return [(key, self._entries[key]) for key in keys]

    def positions(self) -> Mapping[int, int]:
        with self._lock:
            return dict(self._positions)

    def count(self) -> int:
        return len(self._entries)

    def close(self) -> None:
        """Nothing to keep."""
