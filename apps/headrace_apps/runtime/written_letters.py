"""Which letters are in the dead-letter topic already, read from the topic itself. Under `dead_letters`."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Event

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from headrace.core import dead_letter
from headrace_apps.runtime.client import client_config
from headrace_apps.runtime.handler import OutageError

STALLED_SECONDS = 60.0
"""Without a record or an end of a partition for so long, the look into the topic is given up. All of it may take any
time: the topic holds the letters of all stages, and one that ran out of time would never come to its end."""
TOLD_EVERY_SECONDS = 5.0
CLOCKS_APART_MS = 60_000
"""How far the target's clock and the brokers' may differ for the look into the topic to start early enough."""

log = logging.getLogger(__name__)

Position = tuple[int, int]
"""Partition and offset of the record that a letter is about."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where letters go and what they are about: the dead-letter topic, the stage, and the topic of the records."""

    topic: str
    stage: str
    source: str


class KafkaUnavailableError(OutageError):
    """The dead-letter topic does not take or give records now."""


def fetch_written(
    kafka: Mapping[str, str], address: Address, since: int, stop: Event, clock: Callable[[], float] = time.monotonic
) -> set[Position]:
    """The records that this stage's letters written after `since` (epoch milliseconds) are about.

    `clock` gives seconds. Raises KafkaUnavailableError, also when stopped before the end: half an answer would let
    letters be written again.
    """
    topic = address.topic
    try:
        return _scan(kafka, address, since, stop, clock)
    except KafkaException as error:
        raise KafkaUnavailableError(f"cannot read {topic}: {error.args[0].str()}") from error


def _scan(
    kafka: Mapping[str, str], address: Address, since: int, stop: Event, clock: Callable[[], float]
) -> set[Position]:
    topic = address.topic
    found: set[Position] = set()
    consumer = Consumer(
        {
            **client_config(kafka),
            "group.id": "headrace-dead-letters",  # never joined, never committed
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            # Its own letters are in no transaction, and an open one of a job must not hide them.
            "isolation.level": "read_uncommitted",
        }
    )
    try:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        if not partitions:
            return found
        start = max(since - CLOCKS_APART_MS, 0)
        wanted = consumer.offsets_for_times(
            [TopicPartition(topic, partition, start) for partition in partitions], timeout=10
        )
        places = [place for place in wanted if place.offset >= 0]
        # Up to where the topic ends now. Its end as such may never be seen: while others write letters all the time,
        # each answer brings some, and none says that there are no more.
        ends = {p.partition: consumer.get_watermark_offsets(p, timeout=10)[1] for p in places}
        open_ends = {place.partition for place in places if place.offset < ends[place.partition]}
        consumer.assign(places)
        read, progress, told = 0, clock(), clock()
        while open_ends:
            if stop.is_set():
                raise KafkaUnavailableError(f"stopped while {topic} was being read")
            for message in consumer.consume(1000, 0.2):
                error = message.error()
                partition, offset = message.partition() or 0, message.offset() or 0
                if error is None:
                    read += 1
                    found |= _position(address, message)
                    if offset + 1 >= ends.get(partition, 0):
                        open_ends.discard(partition)
                elif error.code() == KafkaError._PARTITION_EOF:
                    open_ends.discard(partition)  # what is left are markers
                else:
                    continue
                progress = clock()
            if clock() - progress > STALLED_SECONDS:
                raise KafkaUnavailableError(f"{topic} gave no record for {STALLED_SECONDS:.0f} s")
            if clock() - told > TOLD_EVERY_SECONDS:
                told = clock()
                log.info("looking for letters that are already in %s: %d records read", topic, read)
    finally:
        consumer.close()
    return found


def _position(address: Address, message: Message) -> set[Position]:
    headers = dict(message.headers() or ())
    ours = {
        dead_letter.STAGE: address.stage.encode(),
        dead_letter.TOPIC: address.source.encode(),
    }
    if any(headers.get(name) != value for name, value in ours.items()):
        return set()
    try:
        return {(int(headers[dead_letter.PARTITION] or b""), int(headers[dead_letter.OFFSET] or b""))}
    except (KeyError, ValueError):
        return set()
