"""Which windows take an event, against the plainest reading of each kind."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core.sql.lateness import Lateness
from headrace_apps.explanation.moments import millis_of, text_of
from headrace_apps.explanation.windows import windows_of

times = st.integers(0, 10_000)
sizes = st.integers(1, 500)
offsets = st.integers(-300, 300)


@given(times, sizes, offsets)
@settings(deadline=None)
def test_a_tumbling_window_is_the_one_of_a_grid(at: int, size: int, offset: int) -> None:
    grid = range(-1_000 * size + offset, 12_000, size)
    assert windows_of(Lateness("window", "tumble", size, 0, offset), at) == [
        (start, start + size) for start in grid if start <= at < start + size
    ]


@given(times, st.integers(1, 50), st.integers(1, 8), offsets)
@settings(deadline=None)
def test_hopping_windows_are_all_of_a_finer_grid(at: int, slide: int, times_: int, offset: int) -> None:
    size = slide * times_
    grid = range(-1_000 * slide + offset, 12_000, slide)
    assert windows_of(Lateness("window", "hop", size, slide, offset), at) == [
        (start, start + size) for start in grid if start <= at < start + size
    ]


@given(times, st.integers(1, 50), st.integers(1, 8), offsets)
@settings(deadline=None)
def test_cumulating_windows_share_their_start_and_grow_by_steps(at: int, step: int, times_: int, offset: int) -> None:
    size = step * times_
    (start,) = (begin for begin in range(-1_000 * size + offset, 12_000, size) if begin <= at < begin + size)
    ends = [start + step * n for n in range(1, times_ + 1)]
    assert windows_of(Lateness("window", "cumulate", size, step, offset), at) == [(start, e) for e in ends if at < e]


def test_a_session_is_what_the_event_alone_makes_of_it() -> None:
    assert windows_of(Lateness("window", "session", 30), 100) == [(100, 130)]


def test_without_a_window_there_is_none() -> None:
    assert windows_of(Lateness("row"), 100) == []


def test_times_are_read_in_both_spellings() -> None:
    assert millis_of("1970-01-01T00:00:01.5+00:00") == 1_500
    assert millis_of("1970-01-01T01:00:00+01:00") == 0
    assert millis_of(7) == 7
    nothing: list[object] = [None, True, "soon", 1.5, {}]
    assert [millis_of(value) for value in nothing] == [None] * 5
    assert text_of(1_500) == "1970-01-01T00:00:01.500Z"
    assert text_of(10**18) == str(10**18)
