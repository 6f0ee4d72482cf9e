"""Readers: a bounded pool of consumers that page reads and event streams borrow.

A consumer costs threads, a connection and a fetch session, so there are at most `max_readers`, and a returned one is
kept where it stands: the caller who comes back with the cursor of its last page gets the consumer that has already
fetched what follows. `Lease.read` blocks in a thread of the pool's executor; everything else runs in the loop.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from headrace_apps.gateway.cursor import Positions
from headrace_apps.gateway.limits import Limits
from headrace_apps.gateway.metrics import Metrics
from headrace_apps.gateway.offsets import connection_config
from headrace_apps.gateway.problems import Problem
from headrace_apps.gateway.records import place_of, size_of

log = logging.getLogger(__name__)

MAX_IDLE = 4
"""Consumers kept for the next caller."""


def reader_config(kafka: Mapping[str, str]) -> dict[str, Any]:
    """Settings of a consumer that belongs to no group: it reads what it is told to and commits nothing."""
    return {
        "group.id": "headrace-gateway",  # librdkafka wants one; nothing is ever committed or joined under it
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "earliest",  # an offset that retention has passed by
        "fetch.wait.max.ms": 100,  # also bounds how long a consumer that changes its partitions waits for the old
        "fetch.error.backoff.ms": 50,
        "queued.max.messages.kbytes": 4096,
        **connection_config(kafka),
        "isolation.level": "read_committed",
    }


class Reader:
    """One consumer and where it stands; used by one lease at a time."""

    def __init__(self, kafka: Mapping[str, str]) -> None:
        self.topic = ""
        self.positions: dict[int, int] = {}
        self._consumer = Consumer(reader_config(kafka), logger=log)

    def stand(self, topic: str, positions: Positions) -> None:
        """Go to these positions, unless it is there."""
        if self.topic != topic or self.positions != positions:
            self._consumer.assign([TopicPartition(topic, p, offset) for p, offset in positions.items()])
            self.topic, self.positions = topic, dict(positions)

    def read(self, limit: int, size: int, timeout: float) -> list[Message]:
        """What has come, up to `limit` records, and none after the one with which they reach `size` bytes.

        Waits for the first at most `timeout` seconds. Moves `positions` on.
        """
        records: list[Message] = []
        message = self._consumer.poll(timeout)
        while message is not None:
            error = message.error()
            if error is None:
                partition, offset = place_of(message)
                records.append(message)
                self.positions[partition] = offset + 1
                size -= size_of(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                # Beyond transaction markers, which take offsets and are no records.
                partition, self.positions[partition] = place_of(message)
            else:
                log.warning("reading %s: %s", self.topic, error.str())
            if len(records) >= limit or size <= 0:
                break
            # One by one: compressed records take little room in the consumer's queue, so a batch has no bound in bytes.
            message = self._consumer.poll(0)
        return records

    def close(self) -> None:
        self._consumer.close()


class Lease:
    """A reader for the length of one request. Give it back with `release`, also while a read is under way."""

    def __init__(self, pool: ReaderPool, reader: Reader) -> None:
        self._pool = pool
        self._reader = reader
        self._running: Future[list[Message]] | None = None

    @property
    def positions(self) -> Positions:
        return self._reader.positions

    async def stand(self, topic: str, positions: Positions) -> None:
        self._reader.stand(topic, positions)

    async def read(self, limit: int, size: int, patience: float) -> Sequence[Message]:
        """As `Reader.read`, in a thread."""
        self._running = self._pool.executor.submit(self._reader.read, limit, size, patience)
        return await asyncio.wrap_future(self._running)

    def release(self) -> None:
        if self._running is None or self._running.done():
            self._pool.give_back(self._reader)
        else:  # the request was cancelled while a thread reads for it
            self._running.add_done_callback(lambda _: self._pool.give_back(self._reader))


class ReaderPool:
    """Lends readers; `draining` ends what waits when the process is to stop."""

    def __init__(self, kafka: Mapping[str, str], limits: Limits, metrics: Metrics) -> None:
        self._kafka = kafka
        self._limits = limits
        self._metrics = metrics
        self._idle: list[Reader] = []
        self._lent = 0
        self._lock = threading.Lock()
        self.draining = asyncio.Event()
        # Beside the readers' own threads, some for questions about offsets.
        self.executor = ThreadPoolExecutor(limits.max_readers + 4, thread_name_prefix="gateway-reader")

    def lend(self, topic: str, positions: Positions) -> Lease:
        """A reader, the one that stands there already if there is one. Raises Problem 503 when all are lent."""
        with self._lock:
            if self._lent >= self._limits.max_readers:
                detail = f"All {self._limits.max_readers} readers are in use; try again, or close a stream."
                raise Problem(503, "readers-busy", detail, headers={"Retry-After": "2"})
            self._lent += 1
            self._metrics.readers.set(self._lent)
            there = [r for r in self._idle if r.topic == topic and r.positions == positions]
            reader = there[0] if there else self._idle[0] if self._idle else None
            if reader is not None:
                self._idle.remove(reader)
        return Lease(self, reader or Reader(self._kafka))

    def is_standing(self, topic: str, positions: Positions) -> bool:
        """True when an idle reader is exactly there, so the positions need no check against the broker."""
        with self._lock:
            return any(r.topic == topic and r.positions == positions for r in self._idle)

    def give_back(self, reader: Reader) -> None:
        with self._lock:
            self._lent -= 1
            self._metrics.readers.set(self._lent)
            self._idle.append(reader)
            extra = self._idle.pop(0) if len(self._idle) > MAX_IDLE else None
        if extra is not None:
            self.executor.submit(extra.close)

    async def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(loop.run_in_executor(self.executor, reader.close) for reader in idle))
        self.executor.shutdown(wait=False)
