"""A thread per view that keeps its store up to date with its compacted topic, through the consumer runtime.

Restored means: everything that was in the topic when the follower started has been applied. Also what lookups at
ingestion stand on: `store.get(key bytes)` and `caught_up`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import KafkaException

from headrace_apps.gateway.views.store import Change, Entry, ViewStore
from headrace_apps.gateway.views.turn import Turn
from headrace_apps.runtime import (
    Batch,
    BatchSize,
    BrokerTopic,
    Consumption,
    OutageError,
    Record,
    Room,
    Runtime,
    Seen,
    Series,
    StopError,
    fetch_topic_id,
)

log = logging.getLogger(__name__)

BATCH = BatchSize(records=2_000, size=8 * 1024 * 1024, seconds=0.0)
ROOM = Room(records=6_000, size=24 * 1024 * 1024)

EXPIRE = 60.0
"""Seconds between two looks for expired entries: retention moves where the topic begins, and says so to no reader."""
OUTDATED = 12 * 3600.0
"""A store that was not written to for so long is made anew. Kafka forgets a tombstone a day (`delete.retention.ms`)
after compaction: a reader that comes later never hears of the deletion, and would keep the key for ever."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a view is. `confirmed`: epoch seconds; the store holds everything that was in the topic then. Not None
    once it is restored. A store that is emptied is not restored any more."""

    restored: bool
    applied: int
    to_apply: int
    confirmed: float | None


class ViewFollower:
    """Start it once; `close` ends the thread and the store. `now` is epoch seconds.

    `identity` is what the entries depend on beside the topic's own id, as the schema and the key fields: when it
    changes, the store is made anew.
    """

    def __init__(
        self,
        name: str,
        *,
        kafka: Mapping[str, str],
        topic: str,
        store: ViewStore,
        now: Callable[[], float],
        identity: str = "",
        series: Series | None = None,
    ) -> None:
        self.name = name
        self._kafka = kafka
        self._topic = topic
        self._store = store
        self._now = now
        self._identity = identity
        self._series = series
        self._offsets = BrokerTopic(kafka, topic)
        self._begin_anew()
        self._looked_for_expired = float("-inf")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"view-{name}", daemon=True)

    def _begin_anew(self) -> None:
        """What is known of an empty store: nothing, also where a fuller one was restored before."""
        self._progress = Progress(restored=False, applied=0, to_apply=0, confirmed=None)
        self._begin: dict[int, int] = {}
        self._goal: dict[int, int] = {}
        self._goal_asked = 0.0
        self._question: Seen | None = None

    @property
    def progress(self) -> Progress:
        return self._progress

    @property
    def caught_up(self) -> bool:
        """Everything that was in the topic when the follower started, or last emptied its store, is in the store."""
        return self._progress.restored

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Blocks until the thread has ended."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(5)
        self._store.close()

    def _run(self) -> None:
        said = ""
        while not self._stop.is_set():
            try:
                self._follow()
            except (StopError, OutageError, KafkaException, TimeoutError) as exc:
                why = str(exc)
                if why != said:  # an outage is said once, not every second
                    log.warning("view %s tries again: %s", self.name, why)
                    said = why
            except Exception:
                log.exception("view %s failed and starts again from its store", self.name)
            self._stop.wait(1.0)

    def _follow(self) -> None:
        """Read until told to stop."""
        identity = f"{fetch_topic_id(self._kafka, self._topic)} {self._identity}"
        if self._store.prepare(identity, self._now(), OUTDATED):
            log.info("view %s is made anew: its topic, schema or key is another, or it is too old", self.name)
        if not self._store.positions():
            self._begin_anew()
        consumption = Consumption(
            self._kafka, self._topic, group=None, batch=BATCH, room=ROOM, markers_seconds=0.0, drain_seconds=1.0
        )
        turn = Turn(self)
        try:
            Runtime(
                consumption, stop=self._stop, joined=turn, series=self._series, topic=self._offsets, clock=self._now
            ).run()
        finally:
            turn.end()  # the runtime waits for its worker a second; a look for expired entries may take longer

    # The runtime's joined handler, behind the turn.

    def find_positions(self, partitions: Sequence[int]) -> Mapping[int, int]:
        """Where the store ends; where the topic begins, of what it has not or no longer has."""
        asked = self._now()
        begins, ends = self._offsets.begins(partitions), self._offsets.ends(partitions)
        kept = self._store.positions()
        if any(kept.get(partition, 0) > ends[partition] for partition in partitions):
            # The topic lost records that the store has: nobody knows which of its entries are still true.
            log.warning("view %s is made anew: its topic ends before what was read", self.name)
            self._begin_anew()  # first: nobody may take the empty store for a restored one
            self._store.prepare("", self._now(), 0.0)
            raise StopError("the store was ahead of its topic and is emptied")
        positions = {partition: max(kept.get(partition, 0), begins[partition]) for partition in partitions}
        for partition in set(partitions) - self._goal.keys():
            self._begin[partition], self._goal[partition] = positions[partition], ends[partition]
        self._goal_asked = self._goal_asked or asked
        self._store.apply([], positions, asked)
        self._advance()
        return positions

    def handle(self, batch: Batch) -> None:
        changes = [change for record in batch.records if (change := change_of(record)) is not None]
        ends = {partition: span.end for partition, span in batch.spans.items()}
        self._store.apply(changes, ends, self._now())
        self._advance()

    def watched(self, seen: Seen) -> None:
        """A look at the topic's ends stays a question until they are reached. Were every look held against the
        positions at once, a topic that is written all the time would never be confirmed: its end is always a little
        further."""
        self._question = self._question or seen
        self._advance()
        if seen.begins_asked - self._looked_for_expired >= EXPIRE:
            self._looked_for_expired = seen.begins_asked
            # With `delete` beside `compact` Kafka deletes whole segments after a time, without a tombstone for a key.
            if expired := self._store.expire(seen.begins):
                log.info("view %s: %d keys expired with the topic's retention", self.name, expired)
            self._store.apply([], {}, self._now())  # says that the store is not outdated, also of a quiet topic

    def _advance(self) -> None:
        positions = self._store.positions()
        to_apply = sum(self._goal[p] - self._begin[p] for p in self._goal)
        left = sum(max(0, self._goal[p] - positions.get(p, 0)) for p in self._goal)
        restored = self._progress.restored or left == 0
        if restored and not self._progress.restored:
            log.info("view %s is restored: %d keys", self.name, self._store.count())
        confirmed = self._progress.confirmed or (self._goal_asked if restored else None)
        question = self._question
        if question is not None and all(positions.get(p, 0) >= end for p, end in question.ends.items()):
            confirmed, self._question = max(question.asked, confirmed or 0.0), None
        self._progress = Progress(restored, max(0, to_apply - left), max(0, to_apply), confirmed)


def change_of(record: Record) -> Change | None:
    """What a record does to the view; a record without a key does nothing."""
    if record.key is None:
        return None
    if record.value is None:
        return Change(record.key, None)
    return Change(record.key, Entry(record.value, record.partition, record.offset, record.timestamp))
