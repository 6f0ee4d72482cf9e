"""Into Kafka: an idempotent producer whose acknowledgements reach the event loop in batches.

librdkafka calls back once per record from `poll`, which a thread of its own runs. Waking the loop for each record
would cost more than the record; so the thread collects the batches that became complete during one poll and wakes
the loop once. (confluent_kafka's own asyncio producer sends batches without headers, which the contract needs.)
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer

log = logging.getLogger(__name__)

Headers = Sequence[tuple[str, bytes | str | None]]


class Record(NamedTuple):
    """One record to store. (A tuple, as `Stored`: a frozen dataclass takes three times as long to make.)"""

    topic: str
    key: bytes | None
    value: bytes
    headers: Headers


class Stored(NamedTuple):
    """Acknowledged by all in-sync replicas."""

    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class NotStored:
    """Not acknowledged. `too_large`: the broker will never take it. Otherwise it may yet be there or not."""

    message: str
    too_large: bool = False


Delivery = Stored | NotStored


class EventProducer(Protocol):
    """What the ingest needs of a producer; a test brings its own."""

    @property
    def in_flight(self) -> int:
        """Records handed over and not yet acknowledged."""

    @property
    def outage(self) -> str | None:
        """What is wrong with the broker, or None."""

    async def store(self, records: Sequence[Record], timestamp: int) -> list[Delivery]:
        """Store all records with this time (epoch ms); the outcome of each, in order, when all are known."""

    async def close(self, patience: float) -> None:
        """Wait for what is under way, `patience` seconds at most."""


def producer_config(kafka: Mapping[str, str], delivery_timeout: float) -> dict[str, Any]:
    """librdkafka's settings: the document's connection, and what the guarantees need, which it cannot override."""
    return {
        "linger.ms": 2,
        "compression.type": "lz4",
        "socket.keepalive.enable": True,
        "reconnect.backoff.max.ms": 1000,
        "queue.buffering.max.messages": 200_000,
        "queue.buffering.max.kbytes": 512 * 1024,
        **kafka,
        "acks": "all",
        "enable.idempotence": True,
        "partitioner": "murmur2_random",
        "message.timeout.ms": int(delivery_timeout * 1000),
    }


class _Batch:
    """The deliveries of one `store` call; `delivered` runs in the polling thread."""

    __slots__ = ("deliveries", "done", "future", "missing")

    def __init__(self, size: int, future: asyncio.Future[list[Delivery]], done: list[_Batch]) -> None:
        self.deliveries: list[Delivery | None] = [None] * size
        self.missing = size
        self.future = future
        self.done = done

    def delivered(self, index: int, error: KafkaError | None, message: Message) -> None:
        if error:
            self.settle(index, not_stored(error))
        else:
            self.settle(index, Stored(message.partition(), message.offset()))  # type: ignore[arg-type] # known now

    def settle(self, index: int, delivery: Delivery) -> None:
        self.deliveries[index] = delivery
        self.missing -= 1
        if self.missing == 0:
            self.done.append(self)


def not_stored(error: KafkaError) -> NotStored:
    too_large = error.code() in (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE)
    return NotStored(error.str(), too_large)


class KafkaEventProducer:
    """EventProducer over confluent_kafka. Make it inside the running loop that will await it."""

    def __init__(
        self, kafka: Mapping[str, str], *, delivery_timeout: float, on_fatal: Callable[[], None] = lambda: None
    ) -> None:
        """`on_fatal` is called, in the polling thread, when nothing can be stored until the process starts anew."""
        self._on_fatal = on_fatal
        self._loop = asyncio.get_running_loop()
        self._outage: str | None = None
        self._producer = Producer({**producer_config(kafka, delivery_timeout), "error_cb": self._on_error}, logger=log)
        self._done: list[_Batch] = []
        self._turned_away: deque[tuple[_Batch, int, NotStored]] = deque()
        self._in_flight = 0
        self._idle: asyncio.Event | None = None
        self._stopped = False
        self._poller = threading.Thread(target=self._poll, name="gateway-acks", daemon=True)
        self._poller.start()

    @property
    def in_flight(self) -> int:
        return self._in_flight

    @property
    def outage(self) -> str | None:
        return self._outage

    async def store(self, records: Sequence[Record], timestamp: int) -> list[Delivery]:
        batch = _Batch(len(records), self._loop.create_future(), self._done)
        produce: Callable[..., None] = self._producer.produce
        self._in_flight += len(records)
        delivered = batch.delivered
        for index, (topic, key, value, headers) in enumerate(records):
            try:
                produce(
                    topic,
                    value,
                    key,
                    on_delivery=partial(delivered, index),
                    timestamp=timestamp,
                    headers=headers,
                )
            except BufferError:
                # Settled by the polling thread like all others: a batch is never touched by two threads.
                self._turned_away.append((batch, index, NotStored("the producer's queue is full")))
            except KafkaException as exc:
                self._turned_away.append((batch, index, not_stored(exc.args[0])))
        return await batch.future

    async def close(self, patience: float) -> None:
        if self._in_flight:
            self._idle = asyncio.Event()
            try:
                async with asyncio.timeout(patience):
                    await self._idle.wait()
            except TimeoutError:
                log.error(  # noqa: TRY400 - the time-out itself tells nothing
                    "%d records were not acknowledged within %g s", self._in_flight, patience
                )
        self._stopped = True
        await self._loop.run_in_executor(None, self._poller.join, 2.0)

    def _poll(self) -> None:
        while not self._stopped:
            self._producer.poll(0.1)
            while self._turned_away:
                batch, index, delivery = self._turned_away.popleft()
                batch.settle(index, delivery)
            if self._done:
                done = self._done.copy()
                self._done.clear()
                with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                    self._loop.call_soon_threadsafe(self._resolve, done)

    def _resolve(self, batches: list[_Batch]) -> None:
        for batch in batches:
            deliveries = [d for d in batch.deliveries if d is not None]
            self._in_flight -= len(deliveries)
            if any(type(d) is Stored for d in deliveries):
                self._outage = None
            if not batch.future.done():
                batch.future.set_result(deliveries)
        if self._idle is not None and not self._in_flight:
            self._idle.set()

    def _on_error(self, error: KafkaError) -> None:
        """Runs in the polling thread; librdkafka goes on trying by itself unless the error is fatal."""
        if error.fatal():
            log.critical("the producer cannot go on: %s", error.str())
            self._on_fatal()
        self._outage = error.str()
