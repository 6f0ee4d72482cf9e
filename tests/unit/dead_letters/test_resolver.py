"""What a run says that another one has fenced, whatever it was that failed first."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from confluent_kafka import KafkaError, KafkaException

from headrace_apps.dead_letters import resolver as module
from headrace_apps.dead_letters.resolver import ResolveError, Resolver, TooLargeError

from .letters_made import letter


def failure(code: int) -> KafkaException:
    return KafkaException(KafkaError(code))


class FakeProducer:
    """Fails at the steps of `faults`."""

    def __init__(self) -> None:
        self.faults: dict[str, KafkaException] = {}
        self.sent = 0

    def _step(self, name: str) -> None:
        if name in self.faults:
            raise self.faults[name]

    def init_transactions(self, _: float) -> None:
        self._step("init")

    def begin_transaction(self) -> None:
        self._step("begin")

    def produce(self, *_: object, **__: object) -> None:
        self._step("produce")
        self.sent += 1

    def flush(self, _: float) -> int:
        self._step("flush")
        return 0

    def commit_transaction(self, _: float) -> None:
        self._step("commit")

    def abort_transaction(self, _: float) -> None:
        self._step("abort")


@pytest.fixture
def producer(monkeypatch: pytest.MonkeyPatch) -> FakeProducer:
    producer = FakeProducer()
    monkeypatch.setattr(module, "Producer", lambda _: producer)
    return producer


def resolver() -> Resolver:
    return Resolver({}, "p.dead-letters", lambda: datetime(2026, 11, 22, tzinfo=UTC))


@pytest.mark.parametrize("step", ["begin", "produce", "flush"])
def test_a_run_that_was_taken_over_says_so_whatever_failed_first(producer: FakeProducer, step: str) -> None:
    with pytest.raises(ResolveError, match="took over"), resolver() as run:
        producer.faults = {step: failure(KafkaError._PURGE_QUEUE), "abort": failure(KafkaError._FENCED)}
        run.discard([letter()])


def test_two_that_begin_at_once_are_told_the_same(producer: FakeProducer) -> None:
    producer.faults = {"init": failure(KafkaError._FENCED)}
    with pytest.raises(ResolveError, match="took over"):
        resolver()


def test_another_failure_is_told_as_what_it_is(producer: FakeProducer) -> None:
    with pytest.raises(ResolveError, match="nothing of it counts"), resolver() as run:
        producer.faults = {"flush": failure(KafkaError._MSG_TIMED_OUT)}
        run.discard([letter()])


def test_a_letter_that_the_client_does_not_even_take_is_named(producer: FakeProducer) -> None:
    with resolver() as run:
        producer.faults = {"produce": failure(KafkaError.MSG_SIZE_TOO_LARGE)}
        with pytest.raises(TooLargeError) as told:
            run.discard([letter(offset=5)])
        assert list(told.value.why) == ["0-5"]
        producer.faults = {}
        run.discard([letter(offset=6)])
    assert producer.sent == 1
