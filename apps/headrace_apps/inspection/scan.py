"""One bounded pass over a topic, or a pass that goes on: a consumer of no group, which commits nothing.

A pass ends where the topic ended when it began, so that it ends under load too. To a reader of committed records a
partition ends at the first record of a transaction that is still open.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from headrace_apps.inspection.records import Record, record_of

BROKER_SECONDS = 15.0
STALLED_SECONDS = 60.0
"""Without a record or an end of a partition."""
FETCHED_AT_ONCE = 2_000
TOLD_EVERY = 20_000
"""Records between two words of progress."""

Progress = Callable[[int], object]


class UnreadableError(Exception):
    """A topic cannot be read: worded for a person."""


class Scan:
    """Iterate over it once. `start`: offsets by partition, or `since` in epoch milliseconds; else from the beginning.

    `progress` is told how many records were read so far. Raises UnreadableError.
    """

    def __init__(
        self,
        kafka: Mapping[str, str],
        topic: str,
        *,
        start: Mapping[int, int] | None = None,
        since: int | None = None,
        last: int | None = None,
        committed: bool = True,
        follow: bool = False,
        progress: Progress | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kafka, self.topic = kafka, topic
        self._start, self._since, self._last = start, since, last
        self._committed, self._follow = committed, follow
        self._progress, self._clock = progress, clock
        self.read = 0
        self.high: dict[int, int] = {}
        self.ends: dict[int, int] = {}
        """Where the pass stands in each partition: the next offset."""

    def __iter__(self) -> Iterator[Record]:
        with closing(Consumer(self._settings())) as consumer:
            try:
                yield from self._records(consumer)
            except KafkaException as error:
                raise UnreadableError(f"{self.topic} cannot be read: {error.args[0].str()}") from error

    def _settings(self) -> dict[str, Any]:
        return {
            "log_level": 2,
            **self._kafka,
            "group.id": "headrace-inspection",  # librdkafka wants one; nothing is joined or committed under it
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",  # an offset that retention has passed meanwhile
            "fetch.wait.max.ms": 100,
            "isolation.level": "read_committed" if self._committed else "read_uncommitted",
        }

    def _records(self, consumer: Consumer) -> Iterator[Record]:
        self.ends = self._begin(consumer)
        reading = {p for p, offset in self.ends.items() if self._follow or offset < self.high[p]}
        consumer.assign([TopicPartition(self.topic, p, self.ends[p]) for p in reading])
        moved = self._clock()
        while reading:
            for message in consumer.consume(1 if self._follow else FETCHED_AT_ONCE, 0.2):
                error, partition = message.error(), message.partition()
                if partition is None or (error is not None and error.code() != KafkaError._PARTITION_EOF):
                    if error is not None and not error.retriable() and error.code() != KafkaError._ALL_BROKERS_DOWN:
                        raise KafkaException(error)
                    continue
                moved = self._clock()
                offset = message.offset() or 0
                if error is None:
                    if not self._follow and offset >= self.high[partition]:
                        reading.discard(partition)  # written after the pass began
                        continue
                    self.ends[partition] = offset + 1
                    self._count()
                    yield record_of(message)
                elif not self._follow:
                    self.ends[partition] = max(offset, self.ends[partition])
                    reading.discard(partition)
            if not self._follow and self._clock() - moved > STALLED_SECONDS:
                raise UnreadableError(f"{self.topic} gave no record for {STALLED_SECONDS:.0f} s")

    def _count(self) -> None:
        self.read += 1
        if self._progress is not None and self.read % TOLD_EVERY == 0:
            self._progress(self.read)

    def _begin(self, consumer: Consumer) -> dict[int, int]:
        """The first offset of each partition; fills `high`."""
        metadata = consumer.list_topics(self.topic, timeout=BROKER_SECONDS).topics[self.topic]
        if metadata.error is not None:
            raise UnreadableError(f"there is no topic {self.topic} on the broker: {metadata.error.str()}")
        low: dict[int, int] = {}
        for partition in metadata.partitions:
            here = TopicPartition(self.topic, partition)
            low[partition], self.high[partition] = consumer.get_watermark_offsets(here, timeout=BROKER_SECONDS)
        if self._start is not None:
            return {p: max(low[p], offset) for p, offset in self._start.items() if p in low}
        if self._last is not None:
            return {p: max(low[p], self.high[p] - self._last) for p in low}
        if self._since is None:
            return low
        wanted = [TopicPartition(self.topic, p, self._since) for p in low]
        found = consumer.offsets_for_times(wanted, timeout=BROKER_SECONDS)
        return {at.partition: at.offset if at.offset >= 0 else self.high[at.partition] for at in found}


def fetch_topics(kafka: Mapping[str, str]) -> frozenset[str]:
    """Every topic of the broker. Raises UnreadableError."""
    with closing(Consumer({"log_level": 2, **kafka, "group.id": "headrace-inspection"})) as consumer:
        try:
            return frozenset(consumer.list_topics(timeout=BROKER_SECONDS).topics)
        except KafkaException as error:
            raise UnreadableError(f"Kafka does not answer: {error.args[0].str()}") from error
