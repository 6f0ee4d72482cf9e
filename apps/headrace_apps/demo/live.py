"""The live view: a table that redraws itself on a terminal, plain lines every few seconds anywhere else."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from headrace_apps.demo.figures import Figures, Percentiles
from headrace_apps.demo.sender import Tally

LINE_EVERY = 5.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All figures of a pipeline at one moment. Rates per second, latencies in seconds."""

    pipeline: str
    accepted: int
    rate: float
    stored: int
    processed: int
    late: int
    dead_lettered: int
    loaded: int
    latency: Percentiles | None
    away: str | None


class Snapshots:
    """Takes snapshots of one pipeline; the rate is that between two of them."""

    def __init__(
        self, pipeline: str, tally: Tally, figures: Figures, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._pipeline = pipeline
        self._tally = tally
        self._figures = figures
        self._clock = clock
        self._before: tuple[float, int] = (clock(), 0)

    def take(self) -> Snapshot:
        tally, figures, now = self._tally, self._figures, self._clock()
        then, accepted = self._before
        rate = (tally.accepted_events - accepted) / (now - then) if now > then else 0.0
        self._before = (now, tally.accepted_events)
        return Snapshot(
            pipeline=self._pipeline,
            accepted=tally.accepted_events,
            rate=rate,
            stored=figures.stored,
            processed=figures.processed,
            late=figures.late,
            dead_lettered=figures.dead_lettered,
            loaded=figures.loaded.total(),
            latency=figures.latencies.recent(),
            away=tally.away,
        )


def render_line(shot: Snapshot) -> str:
    latency = f", p50/p95 {_ms(shot.latency.p50)}/{_ms(shot.latency.p95)}" if shot.latency else ""
    line = (
        f"  {shot.pipeline:<12} accepted {shot.accepted:,} ({shot.rate:,.0f}/s), stored {shot.stored:,},"
        f" processed {shot.processed:,}, late {shot.late:,}, dead-lettered {shot.dead_lettered:,},"
        f" loaded {shot.loaded:,}{latency}"
    )
    return f"{line}; waiting: {shot.away}" if shot.away else line


COLUMNS = ("accepted", "per second", "stored", "processed", "late", "dead-lettered", "loaded", "p50", "p95")


def render_table(shots: Sequence[Snapshot], elapsed: float, phase: str) -> Group:
    table = Table(title=f"{phase}, {elapsed:.0f} s", title_justify="left")
    table.add_column("pipeline")
    for name in COLUMNS:
        table.add_column(name, justify="right", min_width=8)
    for shot in shots:
        latency = shot.latency
        table.add_row(
            shot.pipeline,
            *(f"{n:,}" for n in (shot.accepted, round(shot.rate), shot.stored, shot.processed)),
            *(f"{n:,}" for n in (shot.late, shot.dead_lettered, shot.loaded)),
            *(("-", "-") if latency is None else (_ms(latency.p50), _ms(latency.p95))),
        )
    waiting = [Text(f"{shot.pipeline} waits: {shot.away}", style="yellow") for shot in shots if shot.away]
    return Group(table, *waiting)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


class LiveView:
    """Use as a context manager; `show` as often as you like."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._begun = clock()
        self._shown: tuple[float, str] = (-LINE_EVERY, "")

    def show(self, takes: Sequence[Callable[[], Snapshot]], phase: str) -> None:
        elapsed = self._clock() - self._begun
        if self._live is not None:
            self._live.update(render_table([take() for take in takes], elapsed, phase), refresh=True)
            return
        then, last_phase = self._shown
        if self._clock() - then >= LINE_EVERY or phase != last_phase:
            self._shown = (self._clock(), phase)
            self._console.print(f"{elapsed:4.0f} s {phase}", highlight=False, soft_wrap=True)
            for take in takes:
                self._console.print(render_line(take()), highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """A line that stays, above the table."""
        self._console.print(text, highlight=False, soft_wrap=True)

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()
