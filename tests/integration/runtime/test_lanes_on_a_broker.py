"""The runtime with a lane handler on a real broker: commits, poison, a slow partition, an outage, static membership."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from headrace_apps.runtime import (
    Address,
    BatchSize,
    Consumption,
    DeadLetterTopic,
    Figures,
    OutageError,
    Record,
    Room,
    Runtime,
    State,
)

pytestmark = pytest.mark.integration

PARTITIONS = 3
DEADLINE_SECONDS = 60.0


def eventually(what: str, holds: Callable[[], Any]) -> None:
    end = time.monotonic() + DEADLINE_SECONDS
    pause = threading.Event()
    while not holds():
        assert time.monotonic() < end, f"not within {DEADLINE_SECONDS:.0f} s: {what}"
        pause.wait(0.02)


@dataclass
class Topic:
    bootstrap: str
    prefix: str
    name: str = ""
    dead_letters: str = ""

    def __post_init__(self) -> None:
        self.name, self.dead_letters = f"{self.prefix}orders", f"{self.prefix}dead-letters"
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        for made in admin.create_topics(
            [NewTopic(self.name, PARTITIONS, 1), NewTopic(self.dead_letters, 1, 1)]
        ).values():
            made.result(30)
        self._producer = Producer({"bootstrap.servers": self.bootstrap, "acks": "all"})

    def send(self, partition: int, *values: bytes) -> None:
        for value in values:
            self._producer.produce(self.name, value, partition=partition)
        assert self._producer.flush(30) == 0

    def committed(self, group: str) -> dict[int, int]:
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": group})
        try:
            wanted = [TopicPartition(self.name, partition) for partition in range(PARTITIONS)]
            return {place.partition: max(place.offset, 0) for place in consumer.committed(wanted, timeout=30)}
        finally:
            consumer.close()

    def letters(self) -> list[tuple[bytes | None, dict[str, Any]]]:
        config = {"bootstrap.servers": self.bootstrap, "group.id": "letters", "enable.partition.eof": True}
        consumer = Consumer({**config, "auto.offset.reset": "earliest"})
        found = []
        try:
            consumer.assign([TopicPartition(self.dead_letters, 0, 0)])
            while (message := consumer.poll(30)) is not None and message.error() is None:
                found.append((message.value(), dict(message.headers() or ())))
            return found
        finally:
            consumer.close()


@dataclass
class Handler:
    """Does what its `rule` says about each record, and remembers what is done."""

    rule: Callable[[Record], None] = lambda _: None
    done: list[tuple[int, int]] = field(default_factory=list)

    def handle(self, records: Sequence[Record]) -> None:
        for record in records:
            self.rule(record)
        self.done += [(record.partition, record.offset) for record in records]


class Figured:
    """The newest figures, and the largest that were seen."""

    def __init__(self) -> None:
        self.last: Figures | None = None
        self.largest = 0
        self.breakers: set[State] = set()
        self.poison = 0

    def tell(self, figures: Figures) -> None:
        self.last = figures
        self.largest = max(self.largest, figures.size)
        self.breakers.add(figures.breaker)

    def count_retry(self) -> None: ...

    def count_poison(self, records: int) -> None:
        self.poison += records

    @property
    def lag(self) -> int | None:
        """Over all partitions, once all are known."""
        if self.last is None or len(self.last.lag) < PARTITIONS:
            return None
        return sum(records for records, _ in self.last.lag.values())


@dataclass
class Running:
    """A runtime in a thread of this process."""

    topic: Topic
    handler: Handler
    changes: dict[str, Any]

    def __post_init__(self) -> None:
        self.figures, self.stop = Figured(), threading.Event()
        self.failure: BaseException | None = None
        topic, kafka = self.topic, {"bootstrap.servers": self.topic.bootstrap}
        address = Address(topic.dead_letters, "consumer/orders", topic.name)
        consumption = Consumption(kafka, topic.name, self.group, **{"attempts": 2, **self.changes})
        letters = DeadLetterTopic(kafka, address, lambda: datetime.now(UTC), self.stop)
        self._runtime = Runtime(consumption, self.handler, stop=self.stop, letters=letters, series=self.figures)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def group(self) -> str:
        return f"{self.topic.prefix}orders"

    def _run(self) -> None:
        try:
            self._runtime.run()
        except BaseException as error:  # told by `end`
            self.failure = error

    def end(self) -> None:
        self.stop.set()
        self._thread.join(DEADLINE_SECONDS)
        assert not self._thread.is_alive()
        assert self.failure is None, self.failure


Run = Callable[..., Running]


@pytest.fixture
def topic(kafka: str, topic_prefix: str) -> Topic:
    return Topic(kafka, topic_prefix)


@pytest.fixture
def run(topic: Topic) -> Iterator[Run]:
    running: list[Running] = []

    def start(handler: Handler, **changes: Any) -> Running:
        running.append(Running(topic, handler, changes))
        return running[-1]

    yield start
    for each in running:
        each.stop.set()


def test_each_record_is_done_in_order_and_committed_when_it_is(topic: Topic, run: Run) -> None:
    for partition in range(PARTITIONS):
        topic.send(partition, *(b"%d" % n for n in range(200)))
    consumer = run(Handler(), batch=BatchSize(records=7))
    eventually("all are done", lambda: len(consumer.handler.done) == 600)
    eventually("no lag", lambda: consumer.figures.lag == 0)
    consumer.end()
    for partition in range(PARTITIONS):
        assert [offset for of, offset in consumer.handler.done if of == partition] == list(range(200))
    assert topic.committed(consumer.group) == dict.fromkeys(range(PARTITIONS), 200)
    topic.send(0, b"one more")
    again = run(Handler())
    eventually("what is new is done", lambda: again.handler.done)
    again.end()
    assert again.handler.done == [(0, 200)]


def test_poison_becomes_a_dead_letter_once_after_its_attempts(topic: Topic, run: Run) -> None:
    tries = []

    def rule(record: Record) -> None:
        if record.value == b"poison":
            tries.append(record.offset)
            raise ValueError("not an order")

    topic.send(1, b"a", b"b", b"poison", b"c")
    consumer = run(Handler(rule))
    eventually("all are settled", lambda: consumer.figures.lag == 0)
    consumer.end()
    assert sorted(set(consumer.handler.done)) == [(1, 0), (1, 1), (1, 3)]
    assert len(tries) >= 2
    ((value, headers),) = topic.letters()
    assert value == b"poison"
    assert headers["headrace.dlq.reason"] == b"Failed"
    assert headers["headrace.dlq.error"] == b"failed 2 times: ValueError: not an order"
    assert (headers["headrace.dlq.partition"], headers["headrace.dlq.offset"]) == (b"1", b"2")
    assert consumer.figures.poison == 1
    assert topic.committed(consumer.group)[1] == 4


def test_a_slow_partition_does_not_stop_the_others(topic: Topic, run: Run) -> None:
    go_on = threading.Event()

    def rule(record: Record) -> None:
        if record.partition == 0:
            assert go_on.wait(DEADLINE_SECONDS)

    for partition in range(PARTITIONS):
        topic.send(partition, *(b"x" * 100 for _ in range(300)))
    consumer = run(Handler(rule), batch=BatchSize(records=10), room=Room(records=90, size=10**6))
    eventually("the others are done", lambda: len(consumer.handler.done) == 600)
    assert {partition for partition, _ in consumer.handler.done} == {1, 2}
    eventually(
        "the slow one is paused", lambda: consumer.figures.last is not None and consumer.figures.last.paused == 1
    )
    go_on.set()
    eventually("the slow one is done too", lambda: len(consumer.handler.done) == 900)
    consumer.end()
    assert [offset for of, offset in consumer.handler.done if of == 0] == list(range(300))


def test_an_outage_of_the_target_is_lag_in_bounded_memory_and_no_dead_letter(topic: Topic, run: Run) -> None:
    away = threading.Event()
    away.set()

    def rule(_: Record) -> None:
        if away.is_set():
            raise OutageError("the target does not answer")

    room, value = Room(records=10**6, size=300_000), b"x" * 5_000
    for partition in range(PARTITIONS):
        topic.send(partition, *(value for _ in range(200)))  # 3 MB in all
    consumer = run(Handler(rule), room=room, batch=BatchSize(records=10))
    figures = consumer.figures
    eventually("all are paused", lambda: figures.last is not None and figures.last.paused == PARTITIONS)
    eventually("the circuit opens", lambda: State.OPEN in figures.breakers)
    eventually("it is lag", lambda: figures.lag == 600)
    # The room, and what one look may bring beside it.
    assert figures.largest <= 2 * room.size + len(value)
    assert consumer.handler.done == []
    assert topic.committed(consumer.group) == dict.fromkeys(range(PARTITIONS), 0)
    away.clear()
    eventually("all are done", lambda: figures.lag == 0)
    assert sorted(consumer.handler.done) == [(p, n) for p in range(PARTITIONS) for n in range(200)]
    eventually("the circuit is closed", lambda: figures.last is not None and figures.last.breaker is State.CLOSED)
    consumer.end()
    assert topic.letters() == []


def test_a_stop_finishes_the_work_and_a_static_member_has_its_partitions_at_once(topic: Topic, run: Run) -> None:
    working, go_on = threading.Event(), threading.Event()

    def rule(_: Record) -> None:
        working.set()
        assert go_on.wait(DEADLINE_SECONDS)

    topic.send(2, b"a", b"b")
    consumer = run(Handler(rule), member="orders-0", batch=BatchSize(records=1))
    assert working.wait(DEADLINE_SECONDS)
    consumer.stop.set()
    go_on.set()
    consumer.end()
    assert consumer.handler.done[0] == (2, 0)
    assert topic.committed(consumer.group)[2] == len(consumer.handler.done)
    # Another member would have to wait for the session of the first, which never left.
    topic.send(2, b"c")
    again = run(Handler(), member="orders-0")
    eventually("the same member goes on", lambda: (2, 2) in again.handler.done)
    again.end()
