"""The loop over a consumer of the test's own: positions that moved or are lost, and how it ends."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import pytest
from confluent_kafka import KafkaError, Message, TopicPartition

from headrace_apps.runtime import Batch, Consumption, MovedError, Runtime, Span, StopError, reader, watch

DEADLINE_SECONDS = 20.0


class Log:
    """One partition; `begin` is where it begins. `trimmed_to` makes the next poll say that the position is gone,
    because the partition begins there now."""

    def __init__(self, records: int) -> None:
        self.records, self.begin = records, 0
        self.trimmed_to: int | None = None
        self.sought: list[int] = []

    def partitions(self) -> list[int]:
        return [0]

    def begins(self, partitions: Iterable[int]) -> dict[int, int]:
        return dict.fromkeys(partitions, self.begin)

    def ends(self, partitions: Iterable[int]) -> dict[int, int]:
        return dict.fromkeys(partitions, self.records)


class LogConsumer:
    def __init__(self, log: Log) -> None:
        self._log = log
        self._next: int | None = None
        self._ended = False

    def incremental_assign(self, places: Sequence[TopicPartition]) -> None:
        self._next = places[0].offset

    def seek(self, place: TopicPartition) -> None:
        self._log.sought.append(place.offset)
        self._next, self._ended = place.offset, False

    def pause(self, _: Sequence[TopicPartition]) -> None: ...

    def resume(self, _: Sequence[TopicPartition]) -> None: ...

    def poll(self, seconds: float) -> Message | None:
        log, offset = self._log, self._next
        if log.trimmed_to is not None and offset is not None:
            log.begin, log.trimmed_to = log.trimmed_to, None
            return message(0, KafkaError(KafkaError._AUTO_OFFSET_RESET))
        if offset is not None and offset < log.records:
            self._next = offset + 1
            return message(offset)
        if offset is not None and not self._ended:
            self._ended = True
            return message(offset, KafkaError(KafkaError._PARTITION_EOF))
        threading.Event().wait(min(seconds, 0.005))
        return None

    def consume(self, count: int, _: float) -> list[Message]:
        found = (self.poll(0.0) for _ in range(count))
        return [each for each in found if each is not None]

    def close(self) -> None: ...


def message(offset: int, error: KafkaError | None = None) -> Message:
    value = b"v" if error is None else None
    return Message(
        topic="t", partition=0, offset=offset, key=b"k", value=value, headers=[], timestamp=(1, 0), error=error
    )


class Joined:
    """Stores what it did. `faults` are raised instead of doing a batch, one each."""

    def __init__(self, stop: threading.Event, until: int, faults: Sequence[Exception] = ()) -> None:
        self.stop, self.until, self.faults = stop, until, list(faults)
        self.stored, self.done, self.asked = 0, list[int](), 0

    def find_positions(self, partitions: Sequence[int]) -> Mapping[int, int]:
        self.asked += 1
        return dict.fromkeys(partitions, self.stored)

    def handle(self, batch: Batch) -> None:
        if self.faults:
            raise self.faults.pop(0)
        assert batch.spans[0].start == self.stored
        self.done += [record.offset for record in batch.records]
        self.stored = batch.spans[0].end
        if self.stored >= self.until:
            self.stop.set()


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    log = Log(50)
    monkeypatch.setattr(reader, "Consumer", lambda _: LogConsumer(log))
    monkeypatch.setattr(watch, "EVERY_SECONDS", 0.02)
    return log


def run(log: Log, joined: Any, stop: threading.Event) -> None:
    """Until it ends, but not for ever."""
    given_up = threading.Timer(DEADLINE_SECONDS, stop.set)
    given_up.daemon = True
    given_up.start()
    try:
        Runtime(Consumption({}, "t", group=None, drain_seconds=5.0), stop=stop, joined=joined, topic=log).run()
    finally:
        given_up.cancel()


def test_a_batch_that_somebody_else_did_is_read_again_from_the_stored_positions(log: Log) -> None:
    stop = threading.Event()
    joined = Joined(stop, 50, [MovedError("moved"), MovedError("moved again")])
    run(log, joined, stop)
    assert joined.done == list(range(50))
    assert joined.asked == 3
    assert log.sought == [0, 0]


def test_a_position_that_is_lost_is_asked_for_again(log: Log) -> None:
    stop = threading.Event()

    class Trimmed(Joined):
        """Goes on from where the topic begins, as a view does."""

        def find_positions(self, partitions: Sequence[int]) -> Mapping[int, int]:
            self.stored = max(self.stored, log.begin)
            return super().find_positions(partitions)

    log.trimmed_to = 30
    joined = Trimmed(stop, 50)
    run(log, joined, stop)
    assert joined.done == list(range(30, 50))
    assert joined.asked == 2
    assert log.sought == [30]


def test_what_only_a_person_can_mend_ends_the_consumer(log: Log) -> None:
    stop = threading.Event()
    with pytest.raises(StopError, match="mend this"):
        run(log, Joined(stop, 50, [StopError("mend this")]), stop)
    assert not stop.is_set(), "whoever started it may start it again"


def test_markers_at_the_end_are_stepped_over_with_the_last_batch(log: Log) -> None:
    spans: list[Span] = []
    stop = threading.Event()

    class Noting(Joined):
        def handle(self, batch: Batch) -> None:
            spans.extend(batch.spans.values())
            super().handle(batch)

    run(log, Noting(stop, 50), stop)
    assert spans[0].start == 0
    assert spans[-1].end == 50
    assert all(before.end == after.start for before, after in pairwise(spans))


def test_a_runtime_has_exactly_one_handler() -> None:
    stop = threading.Event()
    with pytest.raises(ValueError, match="one handler"):
        Runtime(Consumption({}, "t", group="g"), stop=stop)
