"""Outages are waited out behind one breaker, failures are counted, and a poison record is found and given up once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from threading import Event

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core.dead_letter import Reason
from headrace_apps.runtime import Batch, Breaker, Letter, OutageError, Record, RefusedError, Retry, State, StopError
from headrace_apps.runtime import retry as retry_module
from headrace_apps.runtime.breaker import FIRST_PAUSE_SECONDS
from headrace_apps.runtime.figures import Figures
from headrace_apps.runtime.work import LaneWork


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry_module, "FIRST_PAUSE_SECONDS", 0.0)


def impatient(stop: Event | None = None) -> Retry:
    return Retry(stop or Event(), Breaker(lambda: 0.0, lambda: 0.0, threshold=10**6))


def test_the_circuit_opens_after_some_outages_and_lets_one_probe_through() -> None:
    clock = Clock()
    breaker = Breaker(clock, lambda: 1.0, threshold=3)
    for _ in range(2):
        assert breaker.admit() == 0
        breaker.failed("away")
    assert breaker.admit() == 0, "two may be chance"
    breaker.failed("away")
    states = [breaker.state]
    first = breaker.admit()
    assert first == 2 * FIRST_PAUSE_SECONDS
    clock.seconds += first
    states.append(breaker.state)
    assert states == [State.OPEN, State.HALF_OPEN]
    assert breaker.admit() == 0, "the probe"
    assert breaker.admit() > 0, "nobody else beside it"
    breaker.failed("still away")
    assert breaker.admit() == 2 * first, "a longer pause"
    clock.seconds += 2 * first
    assert breaker.admit() == 0
    breaker.succeeded()
    assert breaker.admit() == 0


@given(st.lists(st.sampled_from(["fails", "succeeds", "waits"]), max_size=60), st.floats(0, 1))
def test_no_pause_is_longer_than_its_bound_and_success_closes(events: list[str], jitter: float) -> None:
    clock = Clock()
    breaker = Breaker(clock, lambda: jitter, threshold=2)
    for event in events:
        if event == "fails":
            breaker.failed("x")
        elif event == "succeeds":
            breaker.succeeded()
            assert breaker.state is State.CLOSED
        else:
            clock.seconds += breaker.admit()
        assert 0 <= breaker.admit() <= 30.0
        breaker.failed("a probe must end")


def test_an_outage_is_waited_out_and_a_failure_only_as_often_as_declared(caplog: pytest.LogCaptureFixture) -> None:
    answers: list[Exception | None] = [OutageError("no route")] * 9 + [None]

    def away() -> str:
        if (answer := answers.pop(0)) is not None:
            raise answer
        return "done"

    told: list[BaseException] = []
    patient = impatient()
    patient.listeners.append(told.append)
    assert patient.call("load", away) == "done"
    assert len(told) == 9
    assert "waiting to load, again in" in caplog.text
    tries = []

    def fails() -> None:
        tries.append(1)
        raise KeyError("no such thing")

    with pytest.raises(KeyError):
        patient.call("load", fails, attempts=4)
    assert len(tries) == 4


@pytest.mark.parametrize("error", [StopError("mend it"), RefusedError("not this")])
def test_what_is_decided_is_not_tried_again(error: Exception) -> None:
    tries = []

    def refuse() -> None:
        tries.append(1)
        raise error

    with pytest.raises(type(error)):
        impatient().call("load", refuse, attempts=5)
    assert len(tries) == 1


def test_stopped_before_the_attempts_were_used_up_is_no_failure_of_the_record() -> None:
    stop = Event()

    def fails() -> None:
        stop.set()
        raise KeyError("x")

    with pytest.raises(OutageError, match="stopped before it was tried 3 times"):
        impatient(stop).call("load", fails, attempts=3)


def test_only_one_of_many_asks_a_target_that_is_away() -> None:
    clock, stop = Clock(), Event()
    retry = Retry(stop, Breaker(clock, lambda: 1.0, threshold=1))
    asked = []

    def away() -> None:
        asked.append(1)
        raise OutageError("away")

    def lane() -> None:
        with pytest.raises(OutageError):
            retry.call("load", away)

    threads = [threading.Thread(target=lane) for _ in range(8)]
    for thread in threads:
        thread.start()
    # However long they try, the clock stands: the circuit stays open.
    Event().wait(0.3)
    stop.set()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert 1 <= len(asked) <= 8, "those that were let in before the first answer, and nobody after it"
    assert retry.breaker.state is State.OPEN


class Box:
    def __init__(self) -> None:
        self.letters: list[Letter] = []
        self.away = 0

    def write(self, letters: Sequence[Letter]) -> None:
        if self.away:
            self.away -= 1
            raise OutageError("no broker")
        self.letters += letters


class Counts:
    poison = 0

    def tell(self, figures: Figures) -> None: ...

    def count_retry(self) -> None: ...

    def count_poison(self, records: int) -> None:
        self.poison += records


class Handler:
    """Fails on some offsets, and remembers what it was given."""

    def __init__(self, poison: set[int], error: Callable[[], Exception] = lambda: ValueError("bad")) -> None:
        self.poison, self.error = poison, error
        self.done: list[int] = []
        self.tries: dict[int, int] = {}

    def handle(self, records: Sequence[Record]) -> None:
        if len(records) == 1:
            self.tries[records[0].offset] = self.tries.get(records[0].offset, 0) + 1
        if any(record.offset in self.poison for record in records):
            raise self.error()
        self.done += [record.offset for record in records]


def batch_of(count: int) -> Batch:
    return Batch([Record(0, offset, b"k", b"v", None, 0) for offset in range(count)], {}, {})


@settings(max_examples=50)
@given(st.integers(1, 40), st.sets(st.integers(0, 39)))
def test_poison_becomes_dead_letters_once_and_the_others_are_done_in_order(count: int, poison: set[int]) -> None:
    handler, box, counts = Handler(poison), Box(), Counts()
    LaneWork(handler, impatient(), 3, box, counts)(batch_of(count))
    there = {offset for offset in poison if offset < count}
    assert handler.done == [offset for offset in range(count) if offset not in there]
    assert [letter.record.offset for letter in box.letters] == sorted(there)
    assert counts.poison == len(there)
    assert {handler.tries[offset] for offset in there} <= {3}


def test_a_letter_tells_why_and_waits_for_the_broker() -> None:
    box = Box()
    box.away = 3
    LaneWork(Handler({1}), impatient(), 3, box, None)(batch_of(2))
    (letter,) = box.letters
    assert letter.reason is Reason.FAILED
    assert letter.error == "failed 3 times: ValueError: bad"


def test_a_refusal_needs_no_attempts_and_an_outage_no_letter() -> None:
    box, refusing = Box(), Handler({0}, lambda: RefusedError("not this one"))
    LaneWork(refusing, impatient(), 3, box, None)(batch_of(2))
    assert refusing.tries[0] == 1
    assert box.letters[0].error == "was refused: RefusedError: not this one"
    stop = Event()
    box = Box()

    def away() -> Exception:
        stop.set()
        return OutageError("away")

    with pytest.raises(OutageError):
        LaneWork(Handler({0}, away), impatient(stop), 3, box, None)(batch_of(4))
    assert box.letters == []


def test_poison_without_a_place_for_it_stops_the_consumer() -> None:
    with pytest.raises(StopError, match="no dead-letter topic"):
        LaneWork(Handler({0}), impatient(), 2, None, None)(batch_of(1))
