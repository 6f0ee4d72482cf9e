"""Each letter is written once, also when the producer's buffer is full or nobody knows what arrived.

The broker is the test's own: it holds the dead-letter topic, and clients that talk to it in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from headrace.core.dead_letter import Reason
from headrace_apps.runtime import Address, DeadLetterTopic, Letter, Record, StopError, written_letters
from headrace_apps.runtime import dead_letters as module
from headrace_apps.runtime.written_letters import STALLED_SECONDS, KafkaUnavailableError, fetch_written

ADDRESS = Address("p.dead-letters", "sink/s", "p.t")


class Written:
    """A record of the dead-letter topic."""

    def __init__(self, value: bytes, headers: list[tuple[str, bytes]]) -> None:
        self._value, self._headers = value, headers

    def error(self) -> KafkaError | None:
        return None

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return int(self._value)

    def value(self) -> bytes:
        return self._value

    def headers(self) -> list[tuple[str, bytes]]:
        return [(name, text.encode() if isinstance(text, str) else text) for name, text in self._headers]


class End:
    def error(self) -> KafkaError:
        return KafkaError(KafkaError._PARTITION_EOF)

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 0


class Broker:
    """`room` is how many letters a producer holds; the answers to the first `silent` letters get lost; a reader
    is told the end of the log if it `ends`."""

    def __init__(self, room: int = 100, silent: int = 0) -> None:
        self.room, self.silent = room, silent
        self.ends = True
        self.largest = 1_000
        self.markers = 1
        """Offsets behind the last letter, which no letter has."""
        self.log: list[Written] = []

    @property
    def values(self) -> list[bytes]:
        return [letter.value() for letter in self.log]


class FakeProducer:
    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._queue: list[tuple[Written, Callable[[KafkaError | None, Any], None]]] = []

    def __len__(self) -> int:
        return len(self._queue)

    def produce(self, _: str, value: bytes, key: Any, headers: Any, on_delivery: Any) -> None:
        if len(self._queue) >= self._broker.room:
            raise BufferError
        self._queue.append((Written(value, headers), on_delivery))

    def flush(self, _: float) -> int:
        """Takes one letter of those that wait: a slow broker."""
        if self._queue:
            letter, answer = self._queue.pop(0)
            if len(letter.value()) > self._broker.largest:
                answer(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE), letter)
                return len(self._queue)
            self._broker.log.append(letter)
            self._broker.silent -= 1
            answer(KafkaError(KafkaError._MSG_TIMED_OUT) if self._broker.silent >= 0 else None, letter)
        return len(self._queue)


class FakeConsumer:
    """Reads the log one letter at a time; `tick` runs before each look for one."""

    def __init__(self, broker: Broker, tick: Callable[[], None] = lambda: None) -> None:
        self._broker = broker
        self._messages: Iterator[Any] = iter([*broker.log, *([End()] if broker.ends else [])])
        self._tick = tick

    def list_topics(self, topic: str, timeout: float) -> Any:
        return SimpleNamespace(topics={topic: SimpleNamespace(partitions={0: None})})

    def offsets_for_times(self, wanted: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        return [TopicPartition(each.topic, each.partition, 0) for each in wanted]

    def get_watermark_offsets(self, _: TopicPartition, timeout: float) -> tuple[int, int]:
        return 0, max((letter.offset() + 1 for letter in self._broker.log), default=0) + self._broker.markers

    def assign(self, _: list[TopicPartition]) -> None: ...

    def close(self) -> None: ...

    def consume(self, _: int, __: float) -> list[Any]:
        self._tick()
        return [message] if (message := next(self._messages, None)) is not None else []


def topic_at(monkeypatch: pytest.MonkeyPatch, broker: Broker, stop: Event | None = None) -> DeadLetterTopic:
    monkeypatch.setattr(module, "Producer", lambda _: FakeProducer(broker))
    monkeypatch.setattr(written_letters, "Consumer", lambda _: FakeConsumer(broker))
    return DeadLetterTopic({}, ADDRESS, lambda: datetime(2026, 11, 22, tzinfo=UTC), stop or Event())


def letters(count: int) -> list[Letter]:
    return [Letter(Record(0, n, None, b"%d" % n, None, 0), Reason.MALFORMED, "it is none") for n in range(count)]


def test_a_full_buffer_is_waited_for_and_repeats_no_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker(room=3)
    topic_at(monkeypatch, broker).write(letters(10))
    assert broker.values == [b"%d" % n for n in range(10)]


def test_letters_that_arrived_without_an_answer_are_not_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker(silent=2)
    topic = topic_at(monkeypatch, broker)
    with pytest.raises(KafkaUnavailableError):
        topic.write(letters(5))
    topic.write(letters(5))
    assert broker.values == [b"%d" % n for n in range(5)]


@pytest.mark.parametrize("at_once", [True, False])
def test_a_letter_that_no_topic_takes_is_no_outage(monkeypatch: pytest.MonkeyPatch, at_once: bool) -> None:
    """The client says so at once, or the broker does; either is final."""
    broker = Broker()
    topic = topic_at(monkeypatch, broker)
    large = Letter(Record(3, 7, None, b"1" * 2_000, None, 0), Reason.MALFORMED, "it is none")

    class Limited(FakeProducer):
        def produce(self, _: str, value: bytes, key: Any, headers: Any, on_delivery: Any) -> None:
            if at_once and len(value) > broker.largest:
                raise KafkaException(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))
            super().produce(_, value, key, headers, on_delivery)

    monkeypatch.setattr(module, "Producer", lambda _: Limited(broker))
    with pytest.raises(StopError, match=r"topic p\.t, partition 3, offset 7: the record of 2,000 bytes"):
        topic.write([*letters(2), large])
    assert large.record.value not in broker.values


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    def tick(self) -> None:
        """Two thirds of what may pass without progress."""
        self.seconds += STALLED_SECONDS * 2 / 3


def test_the_look_into_the_topic_may_take_as_long_as_it_moves_on(monkeypatch: pytest.MonkeyPatch) -> None:
    broker, clock = Broker(), Clock()
    topic_at(monkeypatch, broker).write(letters(4))
    monkeypatch.setattr(written_letters, "Consumer", lambda _: FakeConsumer(broker, clock.tick))
    assert fetch_written({}, ADDRESS, 0, Event(), clock) == {(0, n) for n in range(4)}
    assert clock.seconds > 3 * STALLED_SECONDS


def test_a_topic_that_is_written_all_the_time_is_read_to_where_it_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client then never says that there are no more."""
    broker = Broker()
    topic_at(monkeypatch, broker).write(letters(4))
    broker.ends, broker.markers = False, 0
    assert fetch_written({}, ADDRESS, 0, Event(), Clock()) == {(0, n) for n in range(4)}


def test_a_topic_that_gives_nothing_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    broker = Broker()
    broker.ends = False
    monkeypatch.setattr(written_letters, "Consumer", lambda _: FakeConsumer(broker, clock.tick))
    with pytest.raises(KafkaUnavailableError, match="gave no record for 60 s"):
        fetch_written({}, ADDRESS, 0, Event(), clock)


def test_half_a_look_into_the_topic_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    broker, stop = Broker(), Event()
    topic_at(monkeypatch, broker).write(letters(4))
    monkeypatch.setattr(written_letters, "Consumer", lambda _: FakeConsumer(broker, stop.set))
    with pytest.raises(KafkaUnavailableError, match="stopped"):
        fetch_written({}, ADDRESS, 0, stop)
