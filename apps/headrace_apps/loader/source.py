"""The topic, read as a member of the sink's consumer group: records in hand, and where each partition stands.

Positions come from the offsets table at every assignment; the group's own offsets are committed for whoever watches
lag, and never read. Nothing here decides what a record means.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from headrace.core.documents import LoaderDocument
from headrace_apps.loader.batches import Record
from headrace_apps.loader.positions import Bounds, PositionLostError
from headrace_apps.loader.statements import Span
from headrace_apps.loader.topic import client_config

TICK_SECONDS = 0.2
"""How long the stop signal may go unseen while no record comes."""
RECORDS_PER_TICK = 10_000
BYTES_IN_HAND = 64 * 1024 * 1024
"""Bytes of values that make a batch due, whatever `batch.max_rows` says: rows of a megabyte must not fill the memory.
What comes within one tick may go beyond it."""
BROKER_SECONDS = 10

_LOST = {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}
_GONE = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.UNKNOWN_TOPIC_ID, KafkaError.TOPIC_AUTHORIZATION_FAILED}

log = logging.getLogger(__name__)


class SourceError(Exception):
    """The topic cannot be read, and waiting will not help."""


def consumer_config(document: LoaderDocument) -> dict[str, object]:
    return {
        "auto.offset.reset": "error",  # an offset that is gone stops the sink instead of skipping records
        # The least that brokers allow: a killed loader's partitions stay with it for so long.
        "session.timeout.ms": 6_000,
        "heartbeat.interval.ms": 2_000,
        "topic.metadata.refresh.interval.ms": 30_000,  # new partitions are read from this long after
        **client_config(document.kafka),
        "group.id": document.group_id,
        "isolation.level": "read_committed",
        "partition.assignment.strategy": "cooperative-sticky",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        # The end of a partition tells a position beyond transaction markers, which no record has.
        "enable.partition.eof": True,
    }


class Source:
    """Not for several threads. `positions` gives the next offset of each of these partitions; what it raises comes
    out of `poll` and `rewind`."""

    def __init__(self, document: LoaderDocument, positions: Callable[[Sequence[int]], Mapping[int, int]]) -> None:
        self._topic = document.topic.kafka_topic
        self._batch = document.batch
        self._positions = positions
        self._told: set[int] = set()
        self._stored: dict[int, int] = {}
        self._next: dict[int, int] = {}
        self._in_hand: list[Record] = []
        self._bytes_in_hand = 0
        self._partitions_in_hand: set[int] = set()
        self._due_at = 0.0
        self.joined = False
        """The group has told which partitions are ours, be it none."""
        self._consumer = Consumer({**consumer_config(document), "error_cb": self._on_error})

    def open(self) -> None:
        self._consumer.subscribe(
            [self._topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
        )

    def close(self) -> None:
        """Leave the group, so that others take over at once."""
        self._consumer.close()

    @property
    def assigned(self) -> Sequence[int]:
        return sorted(self._stored)

    def poll(self) -> None:
        """Take what has come; waits for it no longer than a tick. Raises SourceError, PositionLostError."""
        left = TICK_SECONDS
        if self._in_hand:
            left = max(min(left, self._due_at - time.monotonic()), 0.0)
        room = self._batch.max_rows - len(self._in_hand)
        if room > 0 and self._bytes_in_hand < BYTES_IN_HAND:
            for message in self._consumer.consume(min(room, RECORDS_PER_TICK), left):
                self._take(message)

    @property
    def in_hand(self) -> int:
        """Records of the batch that is being collected."""
        return len(self._in_hand)

    @property
    def due(self) -> bool:
        """The batch in hand is full, or its first record has waited for `batch.max_ms`."""
        if not self._in_hand:
            return False
        full = len(self._in_hand) >= self._batch.max_rows or self._bytes_in_hand >= BYTES_IN_HAND
        return full or time.monotonic() >= self._due_at

    def take(self) -> tuple[Sequence[Record], Mapping[int, Span]]:
        """The batch in hand, and each partition's part of it: transaction markers beyond its records included, so
        there may be spans without a record. After it, `advance` or `rewind`."""
        records = self._in_hand
        self._drop()
        return records, self.spans()

    def spans(self) -> dict[int, Span]:
        return {
            partition: Span(self._stored[partition], end)
            for partition, end in self._next.items()
            if end > self._stored[partition]
        }

    def advance(self, spans: Mapping[int, Span]) -> None:
        """These are loaded. Tells the group too, without waiting: only lag monitors look at it."""
        for partition, span in spans.items():
            if partition in self._stored:
                self._stored[partition] = span.end
        offsets = [TopicPartition(self._topic, p, span.end) for p, span in spans.items() if p in self._stored]
        if offsets:
            try:
                self._consumer.commit(offsets=offsets, asynchronous=True)
            except KafkaException as error:
                log.warning("the group's offsets were not committed: %s", error.args[0].str())

    def rewind(self) -> None:
        """Drop what is in hand and read every assigned partition from where the offsets table says."""
        self._drop()
        for partition, offset in self._positions(self.assigned).items():
            self._stored[partition] = self._next[partition] = offset
            self._consumer.seek(TopicPartition(self._topic, partition, offset))

    def _drop(self) -> None:
        self._in_hand = []
        self._bytes_in_hand = 0
        self._partitions_in_hand.clear()

    def fetch_bounds(self, partitions: Sequence[int]) -> dict[int, Bounds]:
        """Raises KafkaException when the broker does not answer."""
        found = {}
        for partition in partitions:
            first, end = self._consumer.get_watermark_offsets(
                TopicPartition(self._topic, partition), timeout=BROKER_SECONDS
            )
            found[partition] = Bounds(first, end)
        return found

    def position(self, partition: int) -> int:
        """Everything before it is loaded, or was never there."""
        return self._stored[partition] if partition in self._partitions_in_hand else self._next[partition]

    def _take(self, message: Message) -> None:
        error, partition, offset = message.error(), message.partition(), message.offset()
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:
                if partition in self._next and offset is not None:
                    self._next[partition] = max(self._next[partition], offset)
            else:
                self._refuse(error)
            return
        self._told.clear()
        # A partition that was taken away may still have records on the way, and a seek those before it.
        if partition is None or offset is None or offset < self._next.get(partition, offset + 1):
            return
        self._next[partition] = offset + 1
        headers = message.headers()
        pairs = list(headers.items()) if isinstance(headers, dict) else headers
        timestamp = message.timestamp()[1]
        if not self._in_hand:
            self._due_at = time.monotonic() + self._batch.max_ms / 1000
        self._partitions_in_hand.add(partition)
        value = message.value()
        self._bytes_in_hand += len(value or b"")
        self._in_hand.append(Record(partition, offset, message.key(), value, pairs, timestamp))

    def _refuse(self, error: KafkaError) -> None:
        if error.code() in _LOST:
            raise PositionLostError(
                f"topic {self._topic}: an offset that was to be read is gone ({error.str()}). Restart the sink to see "
                "which, and what can be done"
            )
        if error.code() in _GONE:
            raise SourceError(f"topic {self._topic} cannot be read: {error.str()}. Is it there, and may we read it?")
        if error.fatal():
            raise SourceError(f"the Kafka client gave up: {error.str()}")

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self.joined = True
        numbers = [partition.partition for partition in partitions]
        found = self._positions(numbers) if numbers else {}
        for partition, offset in found.items():
            self._stored[partition] = self._next[partition] = offset
        consumer.incremental_assign([TopicPartition(self._topic, p, offset) for p, offset in found.items()])
        log.info("reads %s from %s", self._topic, ", ".join(f"{p}@{o}" for p, o in sorted(self._stored.items())))

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        gone = {partition.partition for partition in partitions} & self._stored.keys()
        # Whoever has them next reads them again from the offsets table.
        self._in_hand = [record for record in self._in_hand if record.partition not in gone]
        self._bytes_in_hand = sum(len(record.value or b"") for record in self._in_hand)
        self._partitions_in_hand -= gone
        for partition in gone:
            del self._stored[partition], self._next[partition]
        consumer.incremental_unassign([TopicPartition(self._topic, partition) for partition in gone])

    def _on_error(self, error: KafkaError) -> None:
        """Once per cause, until records come again."""
        if error.code() not in self._told:
            self._told.add(error.code())
            log.warning("waiting for Kafka: %s", error.str())
