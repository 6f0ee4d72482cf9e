"""The consumer runtime: reads a topic, works on it in lanes, commits what is done. One loop; all it does is named here.

    read → lanes → (paused where full) → due batches to the workers → outcomes: finished and committed,
                                                                       or positions read again, or the end

The loop never waits for a target: it goes on asking the broker, so an outage costs no membership, only memory up to
the declared room. docs/adr/0009-the-consumer-runtime.md says why it is so.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from threading import Event
from typing import Protocol, runtime_checkable

from confluent_kafka import KafkaError, Message

from headrace_apps.runtime.breaker import Breaker, State
from headrace_apps.runtime.client import consumer_config
from headrace_apps.runtime.figures import Figures, Series
from headrace_apps.runtime.handler import JoinedHandler, LaneHandler, MovedError
from headrace_apps.runtime.lag import LagClock
from headrace_apps.runtime.lanes import BatchSize, Lane, Lanes, Room
from headrace_apps.runtime.reader import Reader
from headrace_apps.runtime.records import record_of
from headrace_apps.runtime.retry import WAITED_FOR, Retry
from headrace_apps.runtime.watch import BrokerTopic, Seen, TopicOffsets, TopicWatch
from headrace_apps.runtime.work import LaneWork, Letters
from headrace_apps.runtime.workers import Outcome, Workers

TICK_SECONDS = 0.2
"""How long the stop signal may go unseen while no record comes."""
BUSY_TICK_SECONDS = 0.01
"""The same while work is under way: its outcome is what makes the next batch of its lane possible."""
RECORDS_PER_LOOK = 2_000
LOOKS_IN_ROOM = 4
"""What one look may bring beyond the room is this part of it."""
FIGURES_SECONDS = 0.5

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Consumption:
    """What to read, and how. `group` None: all partitions, for a handler that keeps its positions itself.

    `markers_seconds`: partitions that only grew by transaction markers are stepped over this often; else retention,
    deleting the markers, would look as if records had been lost. `drain_seconds` bounds what is begun after the stop
    signal, and how long partitions that go to somebody else are kept for their work in progress.
    """

    kafka: Mapping[str, str]
    topic: str
    group: str | None
    member: str | None = None
    batch: BatchSize = field(default_factory=BatchSize)
    room: Room = field(default_factory=Room)
    workers: int = 4
    attempts: int = 5
    markers_seconds: float = 60.0
    drain_seconds: float = 30.0


@runtime_checkable
class Watcher(Protocol):
    """A joined handler that wants to know where the topic begins and ends: told on its own thread, between batches."""

    def watched(self, seen: Seen) -> None: ...


class Runtime:
    """One consumer. Exactly one of the handlers; `letters` takes the poison of a lane handler.

    `run` raises StopError, or what a joined handler raised beyond an outage. `stop` ends it. `retry` is made if none
    is given, for a handler that has no need of one. `clock` is epoch seconds.
    """

    def __init__(
        self,
        consumption: Consumption,
        handler: LaneHandler | None = None,
        *,
        stop: Event,
        joined: JoinedHandler | None = None,
        letters: Letters | None = None,
        series: Series | None = None,
        retry: Retry | None = None,
        topic: TopicOffsets | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if (handler is None) is (joined is None):
            raise ValueError("a runtime has one handler: of lanes, or joined")
        if handler is not None and consumption.group is None:
            raise ValueError("a lane handler needs a group, which keeps its positions")
        self._consumption = consumption
        self._joined = joined
        self._series = series
        self._clock = clock
        self.stop = stop
        self.retry = retry or new_retry(stop)
        if series is not None:
            self.retry.listeners.append(lambda _: series.count_retry())
        self._work = LaneWork(handler, self.retry, consumption.attempts, letters, series) if handler else None
        self._lanes = Lanes(consumption.batch, consumption.room, joined=joined is not None)
        self._workers = Workers(1 if joined else consumption.workers, consumption.topic)
        config = consumer_config(consumption.kafka, consumption.group, consumption.member)
        self._reader = Reader(config, consumption.topic, self._assigned, self._taken)
        self._watch = TopicWatch(topic or BrokerTopic(consumption.kafka, consumption.topic), clock)
        self._seen: Seen | None = None
        self._lag = LagClock()
        self._figures_at = 0.0
        self._worked_at = time.monotonic()
        self._rewind = False
        self._telling = False

    def run(self) -> None:
        """Consume until told to stop; then what is held is worked off, unless its target is away."""
        consumption = self._consumption
        self._watch.start()
        try:
            if consumption.group is not None:
                self._reader.join()
            while not self.stop.is_set():
                if consumption.group is None:
                    self._stand()
                self._read()
                self._begin()
                self._collect(0.0)
                self._turn()
                self._figure()
            self._drain()
        except BaseException:
            self.stop.set()  # nobody waits for anything any more
            raise
        finally:
            self._watch.close()
            self._reader.close()
            self._workers.close()

    # Reading.

    def _stand(self) -> None:
        seen = self._watch.seen
        if seen is not None and (new := sorted(seen.ends.keys() - set(self._lanes.partitions))):
            self._reader.stand(new)

    def _read(self) -> None:
        now = time.monotonic()
        wait = BUSY_TICK_SECONDS if self._workers.under_way else TICK_SECONDS
        for lane in self._lanes.all:
            if (due := lane.due_in(now)) is not None:
                wait = min(wait, due)
        messages = self._reader.read(RECORDS_PER_LOOK, self._consumption.room.size // LOOKS_IN_ROOM, wait)
        now = time.monotonic()
        for message in messages:
            self._take(message, now)

    def _take(self, message: Message, now: float) -> None:
        partition, offset = message.partition(), message.offset()
        lane = self._lanes.of(partition) if partition is not None else None
        error = message.error()
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:
                if lane is not None and partition is not None and offset is not None:
                    lane.progress[partition].read_to(offset)
            elif self._reader.explain(error):
                log.warning("topic %s: a position is gone (%s)", self._consumption.topic, error.str())
                self._rewind = True
            return
        # Of a partition that was taken away there may still be records on the way.
        if lane is None or partition is None or offset is None or offset < 0:
            return
        self._reader.calm()
        lane.put(record_of(message, partition, offset), now)

    def _turn(self) -> None:
        """Pause lanes that are full, resume those that are half empty."""
        pause, resume = self._lanes.turn()
        self._reader.pause(pause)
        self._reader.resume(resume)

    # Working.

    def _begin(self, *, all_of_it: bool = False) -> None:
        if self._rewind:
            if not any(lane.busy for lane in self._lanes.all):
                self._go_back()
            return
        now = time.monotonic()
        for lane in self._lanes.all:
            due = lane.due_in(now)
            if due is not None and (due <= 0 or all_of_it):
                self._submit(lane, now)
            elif lane.has_markers():
                self._step_over(lane, now)
        self._look()

    def _look(self) -> None:
        """Take note of the watch's newest look, and tell a handler that wants to know."""
        seen = self._watch.seen
        if seen is None or seen is self._seen or self._telling:
            return
        self._seen = seen
        if isinstance(self._joined, Watcher):
            self._telling = True
            self._workers.submit(_WATCHED, partial(self._joined.watched, seen))

    def _submit(self, lane: Lane, now: float) -> None:
        batch = lane.take(now)
        self._worked_at = now
        if self._joined is not None:
            work = partial(self.retry.call, "handle a batch", partial(self._joined.handle, batch))
        else:
            assert self._work is not None  # noqa: S101 - the constructor looked
            work = partial(self._work, batch)
        self._workers.submit(lane, work)

    def _step_over(self, lane: Lane, now: float) -> None:
        if self._joined is None:
            lane.take(now)
            self._reader.commit(lane.finish(), wait=False)
        elif now - self._worked_at >= self._consumption.markers_seconds:
            self._submit(lane, now)

    def _collect(self, seconds: float) -> None:
        while (outcome := self._workers.collect(seconds)) is not None:
            self._settle(outcome)
            seconds = 0.0

    def _settle(self, outcome: Outcome) -> None:
        lane = outcome.what if isinstance(outcome.what, Lane) else None
        self._telling = self._telling and outcome.what is not _WATCHED
        match outcome.error:
            case None:
                if lane is not None:
                    self._reader.commit(self._group_only(lane.finish()), wait=False)
            case MovedError():
                log.warning("%s: reading positions again", outcome.error)
                self._rewind = True
                if lane is not None:
                    lane.abandon()
            case error if isinstance(error, WAITED_FOR) and self.stop.is_set():
                # Only the stop signal ends the waiting. Nothing of the batch is stored, so nothing of it is lost.
                log.warning("stopped while waiting; what is held will be read again: %s", error)
                raise _StoppedError from error
            case error:
                raise error

    def _group_only(self, positions: Mapping[int, int]) -> Mapping[int, int]:
        return positions if self._consumption.group is not None else {}

    # Assignments.

    def _assigned(self, partitions: Sequence[int]) -> Mapping[int, int]:
        if not partitions:
            return {}
        found = self._find(partitions)
        self._lanes.assign(found)
        log.info("reads %s from %s", self._consumption.topic, ", ".join(f"{p}@{o}" for p, o in sorted(found.items())))
        return found

    def _find(self, partitions: Sequence[int]) -> Mapping[int, int]:
        if self._joined is None:
            return self.retry.call("find positions", partial(self._reader.committed, partitions))
        # On the handler's own thread, behind the batch in work: it need not be made for several.
        found: dict[int, int] = {}
        joined = self._joined

        def find() -> None:
            found.update(self.retry.call("find positions", partial(joined.find_positions, partitions)))

        self._workers.submit(_POSITIONS, find)
        while True:
            outcome = self._workers.collect(TICK_SECONDS)
            if outcome is None:
                continue
            if outcome.what is not _POSITIONS:
                self._settle(outcome)
                continue
            if outcome.error is not None:
                raise outcome.error
            return found

    def _taken(self, partitions: Sequence[int], lost: bool) -> None:
        """Work in progress is finished first, unless that may take for ever; then whoever is next does it again."""
        if not lost:
            end = time.monotonic() + self._consumption.drain_seconds
            while (
                not self.stop.is_set()
                and self._works_on(partitions)
                and time.monotonic() < end
                and self.retry.breaker.state is State.CLOSED
            ):
                self._collect(BUSY_TICK_SECONDS)
            if self._joined is None:
                standing = self._lanes.positions()
                self._reader.commit({p: standing[p] for p in partitions if p in standing}, wait=True)
        self._lanes.revoke(partitions)

    def _works_on(self, partitions: Sequence[int]) -> bool:
        lanes = [self._lanes.of(partition) for partition in partitions]
        return any(lane is not None and lane.busy for lane in lanes)

    def _go_back(self) -> None:
        """Drop what is held and read every partition from where its positions say."""
        self._rewind = False
        found = self._find(self._lanes.partitions)
        for lane in self._lanes.all:
            lane.rewind({partition: found[partition] for partition in lane.progress if partition in found})
        self._reader.seek(found)

    # The end, and what is told.

    def _drain(self) -> None:
        end = time.monotonic() + self._consumption.drain_seconds
        try:
            while True:
                self._collect(BUSY_TICK_SECONDS)
                if time.monotonic() < end and not self._rewind:
                    self._begin(all_of_it=True)
                elif (
                    not any(lane.busy for lane in self._lanes.all)
                    or time.monotonic() > end + self._consumption.drain_seconds
                ):
                    return
                if not self._workers.under_way:
                    return
        except _StoppedError:
            return
        finally:
            if self._joined is None:
                self._reader.commit(self._lanes.positions(), wait=True)

    def _figure(self) -> None:
        now = time.monotonic()
        if self._series is None or now < self._figures_at:
            return
        self._figures_at = now + FIGURES_SECONDS
        held, size = self._lanes.held()
        waiting = sum(lane.waiting for lane in self._lanes.all)
        paused, state = len(self._lanes.paused()), self.retry.breaker.state
        self._series.tell(Figures(self._reader.joined, waiting, held, size, paused, state, self._lags()))

    def _lags(self) -> dict[int, tuple[int, float]]:
        if self._seen is None:
            return {}
        oldest = {}
        for lane in self._lanes.all:
            if (record := lane.oldest) is not None:
                oldest[record.partition] = record.timestamp
        positions = {p: o for p, o in self._lanes.positions().items() if p in self._seen.ends}
        return self._lag.lag(positions, self._seen.ends, oldest, self._clock())


def new_retry(stop: Event) -> Retry:
    """With a breaker of its own. Jitter spreads load; it guards nothing."""
    return Retry(stop, Breaker(time.monotonic, random.random))


_POSITIONS, _WATCHED = object(), object()
"""What workers do beside the batches of a lane."""


class _StoppedError(Exception):
    """The stop signal ended the waiting for a target."""
