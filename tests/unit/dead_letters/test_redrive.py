"""The run of a redrive: batches, pace, what is told, and where it stops."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace_apps.dead_letters.letter import Letter
from headrace_apps.dead_letters.outgoing import Kept, Outgoing
from headrace_apps.dead_letters.pace import MOST_AT_ONCE, Pace
from headrace_apps.dead_letters.redrive import Done, discard, redrive
from headrace_apps.dead_letters.resolver import ResolveError, TooLargeError

from .letters_made import letter


class Recorder:
    """Resolves in memory; refuses the batch after `taken` batches."""

    def __init__(self, taken: int = 1_000_000) -> None:
        self.batches: list[list[str]] = []
        self._taken = taken

    def redrive(self, batch: Sequence[Outgoing]) -> None:
        self._take([outgoing.letter for outgoing in batch])

    def discard(self, letters: Sequence[Letter]) -> None:
        self._take(letters)

    def _take(self, letters: Sequence[Letter]) -> None:
        if len(self.batches) == self._taken:
            raise ResolveError("Kafka is away")
        self.batches.append([entry.place for entry in letters])


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def as_it_is(found: Letter) -> Outgoing:
    return Outgoing(found, found.topic, None, None, [])


def letters(count: int) -> list[Letter]:
    return [letter(offset=offset) for offset in range(count)]


def no_limit() -> Pace:
    return Pace(None, lambda: 0.0, lambda _: None)


def test_every_letter_is_sent_once_in_order() -> None:
    recorder, told = Recorder(), []
    done = redrive(letters(1200), as_it_is, recorder, no_limit(), lambda so_far: told.append(so_far.done))
    assert [len(batch) for batch in recorder.batches] == [MOST_AT_ONCE, MOST_AT_ONCE, 200]
    assert [place for batch in recorder.batches for place in batch] == [f"0-{n}" for n in range(1200)]
    assert (done.done, done.kept_count, told) == (1200, 0, [500, 1000, 1200])


def test_what_cannot_be_sent_is_kept_and_the_rest_is_sent() -> None:
    recorder = Recorder()

    def prepare(found: Letter) -> Outgoing | Kept:
        return Kept(found, "no") if found.place == "0-1" else as_it_is(found)

    done = redrive(letters(3), prepare, recorder, no_limit(), lambda _: None)
    assert recorder.batches == [["0-0", "0-2"]]
    assert [(entry.letter.place, entry.why) for entry in done.kept] == [("0-1", "no")]


def test_a_batch_that_kafka_does_not_take_ends_the_run() -> None:
    recorder = Recorder(taken=1)
    with pytest.raises(ResolveError):
        redrive(letters(1200), as_it_is, recorder, no_limit(), lambda _: None)
    assert len(recorder.batches) == 1


def test_what_is_too_large_for_its_topic_is_kept_and_the_rest_is_sent() -> None:
    class Limited(Recorder):
        def redrive(self, batch: Sequence[Outgoing]) -> None:
            if too_large := {"0-1", "0-3"} & {outgoing.letter.place for outgoing in batch}:
                raise TooLargeError({min(too_large): "is too large"})
            super().redrive(batch)

    recorder = Limited()
    done = redrive(letters(5), as_it_is, recorder, no_limit(), lambda _: None)
    assert recorder.batches == [["0-0", "0-2", "0-4"]]
    assert done.done == 3
    assert [(entry.letter.place, entry.why) for entry in done.kept] == [
        ("0-1", "is too large"), ("0-3", "is too large"),
    ]  # fmt: skip


def test_letters_that_are_too_large_only_together_are_sent_one_by_one() -> None:
    class Limited(Recorder):
        def redrive(self, batch: Sequence[Outgoing]) -> None:
            places = [outgoing.letter.place for outgoing in batch]
            if len(places) > 1 or "0-1" in places:
                raise TooLargeError(dict.fromkeys(places, "is too large"))
            super().redrive(batch)

    recorder = Limited()
    done = redrive(letters(3), as_it_is, recorder, no_limit(), lambda _: None)
    assert recorder.batches == [["0-0"], ["0-2"]]
    assert (done.done, [entry.letter.place for entry in done.kept]) == (2, ["0-1"])


@given(st.floats(0.5, 5_000), st.integers(1, 400))
@settings(max_examples=100, deadline=None)
def test_no_more_than_the_rate_is_sent_at_any_moment(rate: float, count: int) -> None:
    clock, recorder = Clock(), Recorder()
    pace = Pace(rate, clock, clock.sleep)
    sent_at: list[tuple[float, int]] = []
    redrive(letters(count), as_it_is, recorder, pace, lambda so_far: sent_at.append((clock.now, so_far.done)))
    assert all(done <= clock_then * rate + pace.batch + 1e-6 for clock_then, done in sent_at)
    assert sum(map(len, recorder.batches)) == count


def test_discarding_marks_all() -> None:
    recorder = Recorder()
    told: list[Done] = []
    assert discard(letters(600), recorder, told.append).done == 600
    assert [len(batch) for batch in recorder.batches] == [500, 100]
