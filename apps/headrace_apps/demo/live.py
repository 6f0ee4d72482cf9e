"""The live view: a table that redraws itself on a terminal, a plain line every few seconds anywhere else."""

from __future__ import annotations

import time
from collections.abc import Callable
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
    """All figures at one moment. Rates per second, latencies and `elapsed` in seconds."""

    elapsed: float
    accepted: int
    unique: int
    """Of the accepted, without repeats."""
    rate: float
    stored: int
    processed: int
    late: int
    dead_lettered: int
    loaded: int
    latency: Percentiles | None
    away: str | None

    @property
    def lag(self) -> int:
        """Events that were accepted and are not yet in the table."""
        return max(0, self.unique - self.loaded)


class Snapshots:
    """Takes snapshots; the rate is that between two of them."""

    def __init__(self, tally: Tally, figures: Figures, clock: Callable[[], float] = time.monotonic) -> None:
        self._tally = tally
        self._figures = figures
        self._clock = clock
        self._begun = clock()
        self._before: tuple[float, int] = (self._begun, 0)

    def take(self) -> Snapshot:
        tally, figures, now = self._tally, self._figures, self._clock()
        then, accepted = self._before
        rate = (tally.accepted_events - accepted) / (now - then) if now > then else 0.0
        self._before = (now, tally.accepted_events)
        return Snapshot(
            elapsed=now - self._begun,
            accepted=tally.accepted_events,
            unique=tally.accepted_ids,
            rate=rate,
            stored=figures.stored,
            processed=figures.processed,
            late=figures.late,
            dead_lettered=figures.dead_lettered,
            loaded=figures.loaded,
            latency=figures.latencies.recent(),
            away=tally.away,
        )


def render_line(shot: Snapshot, phase: str) -> str:
    latency = f"{shot.latency.p50 * 1000:.0f}/{shot.latency.p95 * 1000:.0f} ms" if shot.latency else "-"
    line = (
        f"{shot.elapsed:5.0f} s {phase}: accepted {shot.accepted:,} ({shot.rate:,.0f}/s), stored {shot.stored:,},"
        f" processed {shot.processed:,}, late {shot.late:,}, dead-lettered {shot.dead_lettered:,},"
        f" loaded {shot.loaded:,}, p50/p95 {latency}, lag {shot.lag:,}"
    )
    return f"{line}; waiting: {shot.away}" if shot.away else line


def render_table(shot: Snapshot, phase: str) -> Group:
    table = Table(title=f"clickstream, {phase}, {shot.elapsed:.0f} s", title_justify="left")
    for name in (
        "accepted",
        "per second",
        "stored",
        "processed",
        "late",
        "dead-lettered",
        "loaded",
        "p50",
        "p95",
        "lag",
    ):
        table.add_column(name, justify="right", min_width=8)
    latency = shot.latency
    table.add_row(
        *(f"{n:,}" for n in (shot.accepted, round(shot.rate), shot.stored, shot.processed)),
        *(f"{n:,}" for n in (shot.late, shot.dead_lettered, shot.loaded)),
        f"{latency.p50 * 1000:.0f} ms" if latency else "-",
        f"{latency.p95 * 1000:.0f} ms" if latency else "-",
        f"{shot.lag:,}",
    )
    return Group(table, Text(f"waiting: {shot.away}" if shot.away else "", style="yellow"))


class LiveView:
    """Use as a context manager; `show` as often as you like."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._shown: tuple[float, str] = (-LINE_EVERY, "")

    def show(self, take: Callable[[], Snapshot], phase: str) -> None:
        if self._live is not None:
            self._live.update(render_table(take(), phase), refresh=True)
            return
        then, last_phase = self._shown
        if self._clock() - then >= LINE_EVERY or phase != last_phase:
            self._shown = (self._clock(), phase)
            self._console.print(render_line(take(), phase), highlight=False, soft_wrap=True)

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
