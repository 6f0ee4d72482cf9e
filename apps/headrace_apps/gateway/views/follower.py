"""A thread per view that follows its compacted topic into a store, from where the store ends.

Restored means: everything that was in the topic when the follower started has been applied.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from headrace_apps.gateway.offsets import BrokerOffsets
from headrace_apps.gateway.problems import Problem
from headrace_apps.gateway.reading import reader_config
from headrace_apps.gateway.records import place_of
from headrace_apps.gateway.views.store import Change, Entry, ViewStore

log = logging.getLogger(__name__)

BATCH = 2_000
POLL = 0.1
CONFIRM = 1.0
"""At least so many seconds between two questions where the topic ends, which is what makes `age` mean something."""

EXPIRE = 60.0
"""Seconds between two questions where the topic begins: retention moves that, and says so to no reader."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a view is. `confirmed`: epoch seconds; the store holds everything that was in the topic then. Not None
    once it is restored."""

    restored: bool
    applied: int
    to_apply: int
    confirmed: float | None


class ViewFollower:
    """Start it once; `close` ends the thread. `now` is epoch seconds."""

    def __init__(
        self,
        name: str,
        *,
        kafka: Mapping[str, str],
        topic: str,
        partitions: int,
        store: ViewStore,
        offsets: BrokerOffsets,
        now: Callable[[], float],
    ) -> None:
        self.name = name
        self._config: dict[str, Any] = {**reader_config(kafka), "queued.max.messages.kbytes": 65_536}
        self._topic = topic
        self._partitions = range(partitions)
        self._store = store
        self._offsets = offsets
        self._now = now
        self._progress = Progress(restored=False, applied=0, to_apply=0, confirmed=None)
        self._begin: dict[int, int] = {}
        self._goal: dict[int, int] = {}
        self._goal_asked = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"view-{name}", daemon=True)

    @property
    def progress(self) -> Progress:
        return self._progress

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
            except (Problem, KafkaException) as exc:
                why = str(exc)
                if why != said:  # an outage is said once, not every second
                    log.warning("view %s tries again: %s", self.name, why)
                    said = why
            self._stop.wait(1.0)

    def _follow(self) -> None:
        """Read until told to stop. Raises Problem or KafkaException; the store keeps what was applied."""
        asked = self._now()
        earliest = self._offsets.earliest(self._topic, self._partitions)
        goal = self._offsets.latest(self._topic, self._partitions)
        kept = self._store.positions()
        positions = {p: max(kept.get(p, 0), earliest[p]) for p in self._partitions}
        if not self._goal:
            self._begin, self._goal, self._goal_asked = dict(positions), goal, asked
        consumer = Consumer(self._config, logger=log)
        try:
            consumer.assign([TopicPartition(self._topic, p, offset) for p, offset in positions.items()])
            self._store.apply([], positions)
            self._expire(earliest)
            expired = asked
            self._advance(positions)
            # A question stays open until its answer is reached. Were every answer held against the positions at once,
            # a topic that is written all the time would never be confirmed: its end is always a little further.
            ends: Mapping[int, int] | None = goal
            while not self._stop.is_set():
                first = consumer.poll(POLL)
                if first is not None:
                    self._apply([first, *consumer.consume(BATCH, 0)], positions)
                if ends is not None and _reaches(positions, ends):
                    self._advance(positions, confirmed=asked)
                    ends = None
                if ends is None and self._now() - asked >= CONFIRM:
                    asked = self._now()
                    ends = self._offsets.latest(self._topic, self._partitions)
                if self._now() - expired >= EXPIRE:
                    expired = self._now()
                    self._expire(self._offsets.earliest(self._topic, self._partitions))
        finally:
            consumer.close()

    def _apply(self, messages: list[Message], positions: dict[int, int]) -> None:
        changes: list[Change] = []
        for message in messages:
            error = message.error()
            if error is None:
                partition, offset = place_of(message)
                positions[partition] = offset + 1
                if (change := change_of(message)) is not None:
                    changes.append(change)
            elif error.code() == KafkaError._PARTITION_EOF:
                partition, positions[partition] = place_of(message)
            else:
                log.warning("view %s: %s", self.name, error.str())
        self._store.apply(changes, positions)
        self._advance(positions)

    def _expire(self, earliest: Mapping[int, int]) -> None:
        """With `delete` beside `compact` Kafka deletes whole segments after a time, without a tombstone for a key."""
        if expired := self._store.expire(earliest):
            log.info("view %s: %d keys expired with the topic's retention", self.name, expired)

    def _advance(self, positions: Mapping[int, int], confirmed: float | None = None) -> None:
        to_apply = sum(self._goal[p] - self._begin[p] for p in self._goal)
        left = sum(max(0, self._goal[p] - positions[p]) for p in self._goal)
        restored = self._progress.restored or left == 0
        if restored and not self._progress.restored:
            log.info("view %s is restored: %d keys", self.name, self._store.count())
        confirmed = confirmed or self._progress.confirmed or (self._goal_asked if restored else None)
        self._progress = Progress(restored, max(0, to_apply - left), max(0, to_apply), confirmed)


def _reaches(positions: Mapping[int, int], ends: Mapping[int, int]) -> bool:
    return all(positions[p] >= end for p, end in ends.items())


def change_of(message: Message) -> Change | None:
    """What a record does to the view; a record without a key does nothing."""
    key, value = message.key(), message.value()
    if key is None:
        return None
    if value is None:
        return Change(key, None)
    partition, offset = place_of(message)
    return Change(key, Entry(value, partition, offset, message.timestamp()[1]))
