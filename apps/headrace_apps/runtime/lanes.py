"""Lanes: records wait in order, one batch of a lane is in work at a time, and no lane can fill another's memory. Pure.

With a lane per partition, partitions are worked on in parallel and a slow one stops only itself. With one lane for
all of them, a batch spans everything that is assigned, which is what a target with one transaction per batch wants.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from headrace_apps.runtime.progress import Progress, Span
from headrace_apps.runtime.records import Record, size_of


@dataclass(frozen=True, slots=True)
class BatchSize:
    """A batch is due at `records`, at `size` bytes, or `seconds` after its first record came, whichever is first."""

    records: int = 500
    size: int = 4 * 1024 * 1024
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Room:
    """What may be held at once, in work or waiting, over all lanes: each has an equal share of it. A partition is
    paused when its lane's share is used up, and resumed at half of it, since each pause makes the client fetch again.

    What one look for records brings comes on top: the client cannot be told to give less than it has.
    """

    records: int = 20_000
    size: int = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Batch:
    """What a handler gets: records in the order of their offsets within each partition.

    `spans` has a partition also when only markers of it are stepped over. `positions` are those of the lane's other
    partitions: all before them is settled.
    """

    records: Sequence[Record]
    spans: Mapping[int, Span]
    positions: Mapping[int, int]


class Lane:
    """One ordered line of work. Times are seconds of one monotonic clock."""

    def __init__(self, batch: BatchSize) -> None:
        self._batch = batch
        self._waiting: deque[Record] = deque()
        self._waiting_size = 0
        self._work: Batch | None = None
        self._work_size = 0
        self._since = 0.0
        self.progress: dict[int, Progress] = {}
        self.paused: bool | None = None
        """None: nobody knows. A partition that comes back may still be paused from before, or may not be."""
        self.after: Lane | None = None
        """The lane that had the partition before it was taken away: what it still works on comes first."""

    def put(self, record: Record, now: float) -> None:
        """Take a record of an assigned partition; one from before a seek is left out."""
        progress = self.progress[record.partition]
        if not progress.is_new(record.offset):
            return
        progress.take(record.offset)
        if not self._waiting:
            self._since = now
        self._waiting.append(record)
        self._waiting_size += size_of(record)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def held(self) -> tuple[int, int]:
        """Records and bytes, in work or waiting."""
        working = len(self._work.records) if self._work else 0
        return len(self._waiting) + working, self._waiting_size + self._work_size

    @property
    def busy(self) -> bool:
        return self._work is not None

    @property
    def oldest(self) -> Record | None:
        """The first record that is not done with."""
        if self._work is not None and self._work.records:
            return self._work.records[0]
        return self._waiting[0] if self._waiting else None

    def due_in(self, now: float) -> float | None:
        """Seconds until there is a batch to work on; None while there is none in sight."""
        if self._work is not None or not self._waiting or self.held_up:
            return None
        if len(self._waiting) >= self._batch.records or self._waiting_size >= self._batch.size:
            return 0.0
        return max(0.0, self._since + self._batch.seconds - now)

    @property
    def held_up(self) -> bool:
        if self.after is not None and not self.after.busy:
            self.after = None
        return self.after is not None

    def has_markers(self) -> bool:
        """There is nothing to work on, but the readers stand further than what is finished."""
        return not self.busy and not self._waiting and any(p.next > p.finished for p in self.progress.values())

    def take(self, now: float) -> Batch:
        """The next batch, now in work. After it `finish` or `rewind`."""
        records: list[Record] = []
        size = 0
        while self._waiting and len(records) < self._batch.records and size < self._batch.size:
            record = self._waiting.popleft()
            size += size_of(record)
            records.append(record)
        self._waiting_size -= size
        self._since = now
        left_from = {record.partition: record.offset for record in reversed(self._waiting)}
        taken_to = {record.partition: record.offset + 1 for record in records}
        spans, positions = {}, {}
        for partition, progress in self.progress.items():
            # Beyond the last record, only when none of the partition waits, what was stepped over counts too.
            end = taken_to.get(partition, progress.finished) if partition in left_from else progress.next
            if end > progress.finished:
                spans[partition] = progress.start(end)
            else:
                positions[partition] = progress.finished
        self._work, self._work_size = Batch(records, spans, positions), size
        return self._work

    def finish(self) -> dict[int, int]:
        """The batch in work is done with: the position of each of its partitions that is still the lane's."""
        work, self._work, self._work_size = self._work, None, 0
        done = {}
        for partition in work.spans if work else ():
            if (progress := self.progress.get(partition)) is not None and progress.working:
                progress.finish()
                done[partition] = progress.finished
        return done

    def assign(self, partition: int, position: int) -> None:
        self.progress[partition] = Progress(position)

    def revoke(self, partitions: Iterable[int]) -> None:
        """Forget these partitions; what is in work of them is not committed when it ends."""
        gone = set(partitions)
        for partition in gone:
            self.progress.pop(partition, None)
        self._waiting = deque(record for record in self._waiting if record.partition not in gone)
        self._waiting_size = sum(map(size_of, self._waiting))

    def abandon(self) -> None:
        """The batch in work is not done, and not by us: `rewind` follows."""
        self._work, self._work_size = None, 0

    def rewind(self, positions: Mapping[int, int]) -> None:
        """Drop what is held and go on from these positions."""
        self._waiting.clear()
        self._waiting_size = self._work_size = 0
        self._work = None
        for partition, position in positions.items():
            self.assign(partition, position)


class Lanes:
    """All lanes of one consumer: one per partition, or a single `joined` one."""

    def __init__(self, batch: BatchSize, room: Room, *, joined: bool) -> None:
        self._batch = batch
        self._room = room
        self._joined = Lane(batch) if joined else None
        self._by_partition: dict[int, Lane] = {}
        self._left: dict[int, Lane] = {}

    def assign(self, positions: Mapping[int, int]) -> None:
        for partition, position in positions.items():
            lane = self._joined or Lane(self._batch)
            self._by_partition[partition] = lane
            lane.assign(partition, position)
            lane.paused = None
            if self._joined is None:
                lane.after = self._left.pop(partition, None)

    def revoke(self, partitions: Iterable[int]) -> None:
        for partition in list(partitions):
            if (lane := self._by_partition.pop(partition, None)) is not None:
                lane.revoke([partition])
                if lane.busy:
                    self._left[partition] = lane
                elif lane.held_up and lane.after is not None:
                    # It has not begun anything yet: what the one before it works on still comes first.
                    self._left[partition] = lane.after

    def of(self, partition: int) -> Lane | None:
        """The lane of an assigned partition."""
        return self._by_partition.get(partition)

    @property
    def all(self) -> list[Lane]:
        """The lanes that have a partition."""
        if self._joined is not None:
            return [self._joined] if self._by_partition else []
        return list(self._by_partition.values())

    @property
    def partitions(self) -> list[int]:
        return sorted(self._by_partition)

    def positions(self) -> dict[int, int]:
        """Where each partition stands: what is before is finished, or was never there."""
        return {partition: lane.progress[partition].position for partition, lane in self._by_partition.items()}

    def held(self) -> tuple[int, int]:
        """Records and bytes over all lanes."""
        each = [lane.held for lane in self.all]
        return sum(records for records, _ in each), sum(size for _, size in each)

    def turn(self) -> tuple[list[int], list[int]]:
        """Partitions to pause and to resume, by what their lanes hold of their share."""
        pause: list[int] = []
        resume: list[int] = []
        share = max(1, len(self.all))
        for lane in self.all:
            records, size = lane.held
            full = records * share >= self._room.records or size * share >= self._room.size
            half = records * share * 2 <= self._room.records and size * share * 2 <= self._room.size
            if full and lane.paused is not True:
                lane.paused = True
                pause += lane.progress
            elif lane.paused is None or (half and lane.paused):
                lane.paused = False
                resume += lane.progress
        return pause, resume

    def paused(self) -> list[int]:
        return [partition for partition, lane in self._by_partition.items() if lane.paused]
