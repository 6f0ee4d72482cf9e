"""Latency figures, the drain's conditions and the two forms of the live view."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from headrace_apps.demo.drain import undrained
from headrace_apps.demo.figures import CatchUp, Figures, Latencies, percentiles
from headrace_apps.demo.ledger import Kind, Sent
from headrace_apps.demo.live import LINE_EVERY, LiveView, Snapshots, render_line, render_table
from headrace_apps.demo.sender import Tally


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_percentiles_are_nearest_rank() -> None:
    found = percentiles([float(n) for n in range(100)])
    assert found is not None
    assert (found.p50, found.p95, found.count) == (50.0, 95.0, 100)
    assert percentiles([]) is None


def test_latency_runs_from_the_first_attempt_to_the_first_sight() -> None:
    clock = Clock()
    latencies = Latencies(clock)
    latencies.sent([Sent("a", Kind.CLICK, {}), Sent("late", Kind.LATE, {})])
    clock.now += 0.25
    latencies.seen(["a", "late", "stranger"])
    clock.now += 1
    latencies.seen(["a"])
    found = latencies.overall()
    assert found is not None
    assert found.p50 == pytest.approx(0.25)
    assert found.count == 1
    assert latencies.recent() == found
    clock.now += 60
    latencies.seen([])
    assert latencies.recent() is None


def test_caught_up_means_that_what_was_accepted_two_seconds_ago_is_processed() -> None:
    catch_up = CatchUp(2.0)
    assert not catch_up.reached(0.0, 0, 0)
    assert not catch_up.reached(1.0, 100, 0)
    assert not catch_up.reached(3.0, 300, 99)
    assert not catch_up.reached(4.0, 400, 99)
    assert catch_up.reached(5.0, 500, 300)


def drained() -> tuple[Tally, Figures]:
    tally, figures = Tally(), Figures()
    tally.accepted_ids, tally.malformed, tally.late = 5, 2, 1
    tally.windows = {("/", 0)}
    figures.processed, figures.loaded = 5, 5
    figures.view_windows = {("/", 0), ("/closing", 10_000)}
    figures.letters.update(
        {
            ("job/page-views", "Malformed"): 2,
            ("job/clean-clicks", "Malformed"): 2,
            ("sink/raw-clicks", "Unloadable"): 2,
            ("job/page-views", "Late"): 1,
        }
    )
    return tally, figures


def test_nothing_is_waited_for_when_all_ends_have_everything() -> None:
    assert undrained(*drained()) == []


def test_each_end_is_waited_for() -> None:
    for place in ("processed", "loaded"):
        tally, figures = drained()
        setattr(figures, place, 4)
        assert len(undrained(tally, figures)) == 1
    tally, figures = drained()
    figures.view_windows = set()
    assert undrained(tally, figures) == ["windows in the view 0 of 1"]
    for stage in list(drained()[1].letters):
        tally, figures = drained()
        figures.letters[stage] -= 1
        assert len(undrained(tally, figures)) == 1


def snapshots(clock: Clock) -> tuple[Snapshots, Tally, Figures]:
    tally, figures = drained()
    taken = Snapshots(tally, figures, clock)
    tally.accepted_events = 1000
    clock.now += 2
    return taken, tally, figures


def test_a_line_has_every_figure() -> None:
    taken, tally, figures = snapshots(Clock())
    figures.latencies.sent([Sent("a", Kind.CLICK, {})])
    figures.latencies.seen(["a"])
    tally.away = "refused"
    line = render_line(taken.take(), "sending")
    for part in (
        "accepted 1,000 (500/s)",
        "processed 5",
        "late 1",
        "dead-lettered 7",
        "loaded 5",
        "p50/p95",
        "refused",
    ):
        assert part in line


def test_a_pipe_gets_a_line_now_and_then_and_at_each_new_phase() -> None:
    clock, out = Clock(), io.StringIO()
    taken, _, _ = snapshots(clock)
    with LiveView(Console(file=out, width=200), clock) as view:
        view.show(taken.take, "sending")
        view.show(taken.take, "sending")
        view.show(taken.take, "draining")
        clock.now += LINE_EVERY
        view.show(taken.take, "draining")
    assert len(out.getvalue().splitlines()) == 3


def test_a_terminal_gets_a_table() -> None:
    out = io.StringIO()
    taken, _, _ = snapshots(Clock())
    Console(file=out, width=160).print(render_table(taken.take(), "sending"))
    for name in ("accepted", "stored", "processed", "late", "dead-lettered", "loaded", "p50", "p95", "lag"):
        assert name in out.getvalue()
