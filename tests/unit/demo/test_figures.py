"""Latency figures, the drain's conditions and the two forms of the live view."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from headrace_apps.demo.check.expectation import Accepted, Expectation, Letters, Output, TableRows
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
    latencies.sent([Sent("a", Kind.EVENT, "clicks", {}), Sent("late", Kind.LATE, "clicks", {})])
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


def drained() -> tuple[Expectation, Figures]:
    accepted = Accepted(
        sent=9,
        events={},
        late=frozenset({"l"}),
        closing=frozenset(),
        by_gateway=frozenset(),
        malformed={"m": b"", "n": b""},
        references=[],
    )
    expected = Expectation(
        accepted=accepted,
        stored={},
        outputs=[
            Output("rises", "alerts", ("id",), {("a",): {}}),
            Output("silences", "alerts", ("id",), {("b",): {}, ("c",): {}}),
        ],
        letters=[Letters("job/a", "Late", "late"), Letters("job/a", "Malformed", "malformed")],
        tables=[TableRows("raw", ("id",), ("id",), {("a",): {}})],
    )
    figures = Figures()
    figures.written["alerts"], figures.loaded["raw"] = 3, 1
    figures.letters.update({("job/a", "Late"): 1, ("job/a", "Malformed"): 2})
    return expected, figures


def test_nothing_is_waited_for_when_all_ends_have_everything() -> None:
    assert undrained(*drained()) == []


def test_each_end_is_waited_for() -> None:
    expected, figures = drained()
    figures.written["alerts"] = 2  # two jobs write to it
    assert undrained(expected, figures) == ["records in alerts 2 of 3"]
    expected, figures = drained()
    figures.loaded["raw"] = 0
    assert undrained(expected, figures) == ["rows of raw 0 of 1"]
    expected, figures = drained()
    figures.letters.subtract({("job/a", "Late"): 1, ("job/a", "Malformed"): 1})
    assert len(undrained(expected, figures)) == 2


def snapshots(clock: Clock) -> tuple[Snapshots, Tally, Figures]:
    tally, figures = Tally(), drained()[1]
    figures.processed = 5
    taken = Snapshots("clickstream", tally, figures, clock)
    tally.accepted_events = 1000
    clock.now += 2
    return taken, tally, figures


def test_a_line_has_every_figure_of_its_pipeline() -> None:
    taken, tally, figures = snapshots(Clock())
    figures.latencies.sent([Sent("a", Kind.EVENT, "clicks", {})])
    figures.latencies.seen(["a"])
    tally.away = "refused"
    line = render_line(taken.take())
    for part in (
        "clickstream",
        "accepted 1,000 (500/s)",
        "processed 5",
        "late 1",
        "dead-lettered 3",
        "loaded 1",
        "p50/p95",
        "refused",
    ):
        assert part in line


def test_a_pipe_gets_lines_now_and_then_and_at_each_new_phase() -> None:
    clock, out = Clock(), io.StringIO()
    taken, _, _ = snapshots(clock)
    with LiveView(Console(file=out, width=200), clock) as view:
        view.show([taken.take, taken.take], "sending")
        view.show([taken.take, taken.take], "sending")
        view.show([taken.take, taken.take], "draining")
        clock.now += LINE_EVERY
        view.show([taken.take, taken.take], "draining")
    assert len(out.getvalue().splitlines()) == 3 * 3


def test_a_terminal_gets_a_table() -> None:
    out = io.StringIO()
    taken, _, _ = snapshots(Clock())
    Console(file=out, width=160).print(render_table([taken.take()], 7.0, "sending"))
    for name in ("accepted", "stored", "processed", "late", "dead-lettered", "loaded", "p50", "p95", "sending, 7 s"):
        assert name in out.getvalue()
