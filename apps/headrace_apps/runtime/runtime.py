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
from functools import partial
from threading import Event

from confluent_kafka import KafkaError, KafkaException, Message

from headrace_apps.runtime.breaker import Breaker, State
from headrace_apps.runtime.client import consumer_config
from headrace_apps.runtime.consumption import Consumption
from headrace_apps.runtime.figures import Figures, Series
from headrace_apps.runtime.handler import JoinedHandler, LaneHandler
from headrace_apps.runtime.lag import LagClock
from headrace_apps.runtime.reader import Reader
from headrace_apps.runtime.records import record_of
from headrace_apps.runtime.retry import WAITED_FOR, Retry
from headrace_apps.runtime.watch import BrokerTopic, Seen, TopicOffsets, TopicWatch
from headrace_apps.runtime.work import Letters
from headrace_apps.runtime.workload import StoppedError, Workload

TICK_SECONDS = 0.2
"""How long the stop signal may go unseen while no record comes."""
BUSY_TICK_SECONDS = 0.01
"""The same while work is under way: its outcome is what makes the next batch of its lane possible."""
RECORDS_PER_LOOK = 2_000
LOOKS_IN_ROOM = 4
"""What one look may bring beyond the room is this part of it."""
FIGURES_SECONDS = 0.5

log = logging.getLogger(__name__)


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
        self._external = joined is not None
        self._series = series
        self._clock = clock
        self._stop = stop
        self._retry = retry or new_retry(stop)
        if series is not None:
            self._retry.listeners.append(lambda _: series.count_retry())
        self._load = Workload(
            consumption, self._retry, stop.is_set, handler=handler, joined=joined, letters=letters, series=series
        )
        self._lanes = self._load.lanes
        config = consumer_config(consumption.kafka, consumption.group, consumption.member)
        self._reader = Reader(config, consumption.topic, self._assigned, self._taken)
        self._watch = TopicWatch(topic or BrokerTopic(consumption.kafka, consumption.topic), clock)
        self._seen: Seen | None = None
        self._lag = LagClock()
        self._figures_at = 0.0
        self._failed = False

    def run(self) -> None:
        """Consume until told to stop; then what is held is worked off, unless its target is away."""
        self._watch.start()
        try:
            if self._consumption.group is not None:
                self._reader.join()
            while not self._stop.is_set():
                self._stand()
                # Where nothing can come, the next event is the end of some work; else it is a record.
                full = self._load.full
                self._read(0.0 if full else self._load.due_in(TICK_SECONDS))
                self._load.collect(BUSY_TICK_SECONDS if full else 0.0, self._commit)
                self._begin()
                self._turn()
                self._figure()
            self._drain()
        except StoppedError as error:
            log.warning("stopped while waiting; what is held will be read again: %s", error)
        except BaseException as error:
            self._failed = True  # nobody waits for anything any more
            if not (self._stop.is_set() and isinstance(error, WAITED_FOR)):
                raise
            log.warning("stopped while waiting: %s", error)
        finally:
            self._watch.close()
            self._reader.close()
            self._load.close(self._consumption.drain_seconds if self._failed else 0.0)

    # Reading.

    def _stand(self) -> None:
        """Without a group: read the partitions that there are, also those that come later."""
        seen = self._watch.seen
        if self._consumption.group is not None or seen is None:
            return
        if new := sorted(seen.ends.keys() - set(self._lanes.partitions)):
            self._reader.stand(new)

    def _read(self, wait: float) -> None:
        if self._load.under_way:
            wait = min(wait, BUSY_TICK_SECONDS)
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
                self._load.moved = True
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

    def _begin(self) -> None:
        if not self._load.moved:
            self._load.begin(self._commit)
        elif not self._load.busy:
            self._go_back()
        seen = self._watch.seen
        if seen is not None and seen is not self._seen and self._load.tell(seen):
            self._seen = seen

    def _commit(self, positions: Mapping[int, int]) -> None:
        """Tell the group, without waiting. For a handler that keeps its positions only lag monitors look at it."""
        if self._consumption.group is not None:
            self._reader.commit(positions, wait=False)

    def _go_back(self) -> None:
        """Drop what is held and read every partition from where its positions say."""
        self._load.moved = False
        found = self._find(self._lanes.partitions)
        for lane in self._lanes.all:
            lane.rewind({partition: found[partition] for partition in lane.progress if partition in found})
        try:
            self._reader.seek(found)
        except KafkaException as error:  # too early after an assignment: from the old place, records would be missed
            log.debug("seeking again: %s", error)
            self._load.moved = True

    # Assignments.

    def _assigned(self, partitions: Sequence[int]) -> Mapping[int, int]:
        found = self._find(partitions)
        self._lanes.assign(found)
        if found:
            places = ", ".join(f"{partition}@{offset}" for partition, offset in sorted(found.items()))
            log.info("reads %s from %s", self._consumption.topic, places)
        return found

    def _find(self, partitions: Sequence[int]) -> Mapping[int, int]:
        if not partitions:
            return {}
        if self._external:
            return self._load.find(partitions, self._commit)
        return self._retry.call("find positions", partial(self._reader.committed, partitions), guarded=False)

    def _taken(self, partitions: Sequence[int], lost: bool) -> None:
        """Work in progress is finished first, unless that may take for ever; then whoever is next does it again."""
        if not lost:
            end = time.monotonic() + self._consumption.drain_seconds
            while self._worth_waiting(partitions) and time.monotonic() < end:
                self._load.collect(BUSY_TICK_SECONDS, self._commit)
            if not self._external:
                standing = self._lanes.positions()
                self._reader.commit({p: standing[p] for p in partitions if p in standing}, wait=True)
        self._lanes.revoke(partitions)

    def _worth_waiting(self, partitions: Sequence[int]) -> bool:
        ending = self._failed or self._stop.is_set()
        return not ending and self._load.works_on(partitions) and self._retry.breaker.state is State.CLOSED

    # The end, and what is told.

    def _drain(self) -> None:
        """Work off what is held: begun for `drain_seconds`, and awaited for as long again."""
        begun = time.monotonic() + self._consumption.drain_seconds
        while time.monotonic() < begun + self._consumption.drain_seconds:
            self._load.collect(BUSY_TICK_SECONDS, self._commit)
            if time.monotonic() < begun and not self._load.moved:
                self._load.begin(self._commit, all_of_it=True)
            if not self._load.under_way:
                return

    def _figure(self) -> None:
        now = time.monotonic()
        if self._series is None or now < self._figures_at:
            return
        self._figures_at = now + FIGURES_SECONDS
        held, size = self._lanes.held()
        waiting = sum(lane.waiting for lane in self._lanes.all)
        paused, state = len(self._lanes.paused()), self._retry.breaker.state
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
