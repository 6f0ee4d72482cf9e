"""How the local backend speaks: lines, and progress of what takes longer.

`Announcer` is what every part gets; on a terminal `TerminalAnnouncer` draws bars and a status line, anywhere else
`LineAnnouncer` prints plain lines, at least one per ten seconds while something is under way.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol, TextIO

from rich.console import Console, Group, RenderableType
from rich.filesize import decimal
from rich.live import Live
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text


class Work(Protocol):
    """Something under way; `advance` in bytes when the work has a total."""

    def advance(self, amount: int) -> None: ...


class Announcer(Protocol):
    def say(self, line: str) -> None: ...

    def work(self, label: str, total: int | None = None) -> AbstractContextManager[Work]: ...


@dataclass
class _Line:
    label: str
    total: int | None
    started: float
    done: int = 0

    def advance(self, amount: int) -> None:
        self.done += amount

    def text(self, now: float) -> str:
        seconds = f"{now - self.started:.0f} s"
        if self.total is None:
            return f"{self.label}: {seconds}"
        return f"{self.label}: {decimal(self.done)} of {decimal(self.total)}, {seconds}"


@dataclass
class LineAnnouncer:
    """Plain lines to `write` (say, for a log of continuous integration)."""

    write: Callable[[str], object]
    clock: Callable[[], float] = time.monotonic
    every: float = 8.0  # seconds; below the ten that are promised
    _lines: list[_Line] = field(default_factory=list)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def say(self, line: str) -> None:
        self.write(line)

    @contextmanager
    def work(self, label: str, total: int | None = None) -> Iterator[Work]:
        line = _Line(label, total, self.clock())
        with self._guard:
            self._lines.append(line)
            first = len(self._lines) == 1
        if first:  # one thread reports for all that is under way; it ends with the last of it
            threading.Thread(target=self._report, name="announce", daemon=True).start()
        try:
            yield line
        finally:
            with self._guard:
                self._lines.remove(line)
            seconds = self.clock() - line.started
            if seconds >= 2:
                self.write(f"{label}: done in {seconds:.0f} s")

    def _report(self) -> None:
        quiet = threading.Event()
        while not quiet.wait(self.every):
            with self._guard:
                if not self._lines:
                    return
                now = self.clock()
                texts = [line.text(now) for line in self._lines]
            self.write("; ".join(texts))


def line_announcer(stream: TextIO) -> LineAnnouncer:
    """Lines to a stream, each flushed, so that a pipe shows them when they happen."""
    return LineAnnouncer(lambda line: print(line, file=stream, flush=True))


class TerminalAnnouncer:
    """Bars and a status line at the bottom, below lines that stay."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            DownloadColumn(),
            TimeElapsedColumn(),
            console=console,
            auto_refresh=False,
        )
        self._status: Callable[[], str] = str
        self._live = Live(get_renderable=self._picture, console=console, transient=True, refresh_per_second=4)
        self._shown = 0

    def _picture(self) -> RenderableType:
        return Group(self.progress, Text(self._status(), overflow="ellipsis", no_wrap=True, style="dim"))

    def say(self, line: str) -> None:
        self.console.print(line, highlight=False, markup=False, soft_wrap=True)

    @contextmanager
    def _at_the_bottom(self) -> Iterator[None]:
        self._shown += 1
        if self._shown == 1:
            self._live.start()
        try:
            yield
        finally:
            self._shown -= 1
            if self._shown == 0:
                self._live.stop()

    @contextmanager
    def showing(self, status: Callable[[], str]) -> Iterator[None]:
        """Keeps a status line at the bottom while the block runs; `status` is asked four times a second."""
        self._status = status
        with self._at_the_bottom():
            yield

    @contextmanager
    def work(self, label: str, total: int | None = None) -> Iterator[Work]:
        task = self.progress.add_task(label, total=total)
        try:
            with self._at_the_bottom():
                yield _Bar(self.progress, task)
        finally:
            self.progress.remove_task(task)


@dataclass
class _Bar:
    progress: Progress
    task: TaskID

    def advance(self, amount: int) -> None:
        self.progress.advance(self.task, amount)


def announcer_for(console: Console) -> Announcer:
    """Bars on a terminal, lines anywhere else."""
    if console.is_terminal:
        return TerminalAnnouncer(console)
    return LineAnnouncer(lambda line: print(line, file=console.file, flush=True))
