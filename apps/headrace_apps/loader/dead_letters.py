"""Unloadable records into the dead-letter topic, acknowledged before the offsets advance. Beside `sink`.

A crash between the acknowledgement and Snowflake's commit makes the next run meet the same records again. It first
looks which letters of them are already in the topic, and leaves those out. Two loaders that hold one partition at the
same time can still both write a letter; a reader tells it by stage, topic, partition and offset.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from threading import Event
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from headrace.core import dead_letter
from headrace.core.documents import LoaderDocument
from headrace_apps.loader.batches import DeadLetter
from headrace_apps.loader.topic import client_config

FLUSH_SECONDS = 1.0
SCAN_SECONDS = 60.0
CLOCKS_APART_MS = 60_000
"""How far Snowflake's clock and the brokers' may differ for the look into the topic to start early enough."""

log = logging.getLogger(__name__)

Position = tuple[int, int]
"""Partition and offset of the record that a letter is about."""


class KafkaUnavailableError(Exception):
    """The dead-letter topic does not take or give records now."""


class DeadLetterTopic:
    """Not for several threads."""

    def __init__(self, document: LoaderDocument, now: Callable[[], datetime], stop: Event) -> None:
        self._topic = document.dead_letter_topic
        self._source = document.topic.kafka_topic
        self._stage = dead_letter.stage_of_sink(document.sink)
        self._kafka = document.kafka
        self._group = document.group_id
        self._now = now
        self._stop = stop
        self._written: set[Position] = set()
        self._in_doubt_since: int | None = None
        self._refused: KafkaError | None = None
        self._producer: Producer | None = None

    def write(self, letters: Iterable[DeadLetter]) -> None:
        """Return when the brokers have acknowledged all of them; those that they have already are left out.

        Raises KafkaUnavailableError; a later call writes only what is missing. What was sent without an answer, as
        after a delivery time-out, may be in the topic all the same: so the later call looks there first.
        """
        missing = self._missing(letters)
        if missing and self._in_doubt_since is not None:
            first: dict[int, int] = {}
            for letter in missing:
                partition, offset = letter.record.partition, letter.record.offset
                first[partition] = min(offset, first.get(partition, offset))
            self.recall(first, self._in_doubt_since)
            missing = self._missing(missing)
        self._in_doubt_since = None
        if not missing:
            return
        started = int(self._now().timestamp() * 1000)
        try:
            self._send(missing)
        except (KafkaUnavailableError, KafkaException):
            self._in_doubt_since = started
            self._producer = None  # a fatal error stays with its client
            raise

    def _missing(self, letters: Iterable[DeadLetter]) -> list[DeadLetter]:
        return [x for x in letters if (x.record.partition, x.record.offset) not in self._written]

    def _send(self, missing: Sequence[DeadLetter]) -> None:
        producer = self._connect()
        self._refused = None
        for letter in missing:
            record = letter.record
            headers: list[tuple[str, str | bytes | None]] = []
            headers += dead_letter.envelope_headers(
                record.headers,
                stage=self._stage,
                reason=letter.refused.reason,
                error=letter.refused.error,
                origin=dead_letter.Origin(self._source, record.partition, record.offset),
                time=self._now(),
            )
            while not self._produced(producer, letter, headers):
                # Room comes with the acknowledgements of those before; leaving here would send these once more.
                self._flush(producer)
                if self._stop.is_set():
                    raise KafkaUnavailableError("stopped while dead letters were on their way")
        while self._flush(producer) and not self._stop.is_set():
            pass
        if self._refused is not None:
            raise KafkaUnavailableError(self._refused.str())
        if self._missing(missing):
            raise KafkaUnavailableError("stopped while dead letters were on their way")

    def _produced(self, producer: Producer, letter: DeadLetter, headers: list[tuple[str, str | bytes | None]]) -> bool:
        """Whether the producer had room for it."""
        record = letter.record
        acknowledged = self._acknowledged((record.partition, record.offset))
        try:
            producer.produce(self._topic, value=record.value, key=record.key, headers=headers, on_delivery=acknowledged)
        except BufferError:
            return False
        return True

    def _flush(self, producer: Producer) -> int:
        """Wait a little for acknowledgements; how many are missing then."""
        left = producer.flush(FLUSH_SECONDS)
        if left:
            log.info("waiting for Kafka to take %d dead letters", left)
        return left

    def settled(self, ends: Mapping[int, int]) -> None:
        """Records before these offsets will not be met again."""
        self._written = {(p, offset) for p, offset in self._written if offset >= ends.get(p, 0)}

    def recall(self, positions: Mapping[int, int], since: int) -> None:
        """Find the letters about records at or beyond these positions, written after `since` (epoch milliseconds).

        Raises KafkaUnavailableError.
        """
        try:
            self._written |= {
                (p, offset) for p, offset in self._scan(since) if p in positions and offset >= positions[p]
            }
        except KafkaException as error:
            raise KafkaUnavailableError(f"cannot read {self._topic}: {error.args[0].str()}") from error

    def _scan(self, since: int) -> set[Position]:
        found: set[Position] = set()
        consumer = Consumer(
            {
                **client_config(self._kafka),
                "group.id": f"{self._group}.dead-letters",  # never joined, never committed
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                # Its own letters are in no transaction, and an open one of a job must not hide them.
                "isolation.level": "read_uncommitted",
            }
        )
        try:
            partitions = consumer.list_topics(self._topic, timeout=10).topics[self._topic].partitions
            if not partitions:
                return found
            start = max(since - CLOCKS_APART_MS, 0)
            wanted = consumer.offsets_for_times(
                [TopicPartition(self._topic, partition, start) for partition in partitions], timeout=10
            )
            open_ends = {partition.partition for partition in wanted if partition.offset >= 0}
            consumer.assign([partition for partition in wanted if partition.offset >= 0])
            deadline = time.monotonic() + SCAN_SECONDS
            while open_ends and not self._stop.is_set():
                if time.monotonic() > deadline:
                    raise KafkaUnavailableError(f"reading {self._topic} took more than {SCAN_SECONDS:.0f} s")
                for message in consumer.consume(1000, 0.2):
                    error = message.error()
                    if error is None:
                        found |= self._position(message)
                    elif error.code() == KafkaError._PARTITION_EOF:
                        open_ends.discard(message.partition() or 0)
        finally:
            consumer.close()
        return found

    def _position(self, message: Message) -> set[Position]:
        headers = dict(message.headers() or ())
        ours = {
            dead_letter.STAGE: self._stage.encode(),
            dead_letter.TOPIC: self._source.encode(),
        }
        if any(headers.get(name) != value for name, value in ours.items()):
            return set()
        try:
            return {(int(headers[dead_letter.PARTITION] or b""), int(headers[dead_letter.OFFSET] or b""))}
        except (KeyError, ValueError):
            return set()

    def _acknowledged(self, position: Position) -> Callable[[KafkaError | None, Message], None]:
        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is None:
                self._written.add(position)
            else:
                self._refused = error

        return delivered

    def _connect(self) -> Producer:
        if self._producer is None:
            settings: dict[str, Any] = {
                **client_config(self._kafka),
                "acks": "all",
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "linger.ms": 5,
            }
            self._producer = Producer(settings)
        return self._producer
