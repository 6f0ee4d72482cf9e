"""The topic, read as a member of the sink's consumer group: records in hand, and where each partition stands.

Positions come from the offsets table at every assignment; the group's own offsets are committed for whoever watches
lag, and never read. Nothing here decides what a record means.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from threading import Event

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from headrace.core.documents import LoaderDocument
from headrace_apps.loader.batches import Record
from headrace_apps.loader.positions import Bounds, PositionLostError
from headrace_apps.loader.statements import Span

TICK_SECONDS = 0.2
"""How long the stop signal may go unseen while no record comes."""
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
        **document.kafka,
        "group.id": document.group_id,
        "isolation.level": "read_committed",
        "partition.assignment.strategy": "cooperative-sticky",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        # The end of a partition tells a position beyond transaction markers, which no record has.
        "enable.partition.eof": True,
    }


class Source:
    """Not for several threads. `positions` gives the next offset of each of these partitions; what it raises, and
    only that, comes out of `collect`."""

    def __init__(
        self, document: LoaderDocument, positions: Callable[[Sequence[int]], Mapping[int, int]], stop: Event
    ) -> None:
        self._topic = document.topic.kafka_topic
        self._batch = document.batch
        self._positions = positions
        self._stop = stop
        self._waiting = False
        self._stored: dict[int, int] = {}
        self._next: dict[int, int] = {}
        self._in_hand: list[Record] = []
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

    def collect(self) -> tuple[Sequence[Record], Mapping[int, Span]]:
        """The next batch: full, or `batch.max_ms` after its first record, or cut short by the stop signal.

        Also returns spans for partitions where there are only markers to step over. After it, `advance` or `rewind`.
        Raises SourceError, PositionLostError.
        """
        deadline: float | None = None
        while not self._stop.is_set():
            now = time.monotonic()
            if deadline is None and self._in_hand:
                deadline = now + self._batch.max_ms / 1000
            room = self._batch.max_rows - len(self._in_hand)
            left = TICK_SECONDS if deadline is None else deadline - now
            if room <= 0 or left <= 0:
                break
            for message in self._consumer.consume(min(room, 10_000), min(left, TICK_SECONDS)):
                self._take(message)
            if deadline is None and not self._in_hand:
                break
        records, self._in_hand = self._in_hand, []
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
        self._in_hand = []
        for partition, offset in self._positions(self.assigned).items():
            self._stored[partition] = self._next[partition] = offset
            self._consumer.seek(TopicPartition(self._topic, partition, offset))

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
        has_records = any(record.partition == partition for record in self._in_hand)
        return self._stored[partition] if has_records else self._next[partition]

    def _take(self, message: Message) -> None:
        error, partition, offset = message.error(), message.partition(), message.offset()
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:
                if partition in self._next and offset is not None:
                    self._next[partition] = max(self._next[partition], offset)
            else:
                self._refuse(error)
            return
        self._waiting = False
        # A partition that was taken away may still have records on the way, and a seek those before it.
        if partition is None or offset is None or offset < self._next.get(partition, offset + 1):
            return
        self._next[partition] = offset + 1
        headers = message.headers()
        pairs = list(headers.items()) if isinstance(headers, dict) else headers
        timestamp = message.timestamp()[1]
        self._in_hand.append(Record(partition, offset, message.key(), message.value(), pairs, timestamp))

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
        for partition in gone:
            del self._stored[partition], self._next[partition]
        consumer.incremental_unassign([TopicPartition(self._topic, partition) for partition in gone])

    def _on_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN and not self._waiting:
            self._waiting = True
            log.warning("waiting for Kafka: %s", error.str())
