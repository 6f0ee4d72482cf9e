"""Commands as a user runs them, each in a state folder of its own; nothing they start outlives the test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

# Tests are not installed, and pytest's importlib mode puts no folder on the path: this is for the harness.
sys.path.append(str(Path(__file__).parents[2]))

from tests.children import die_with_parent

REPOSITORY = Path(__file__).parents[2]
PIPELINE = REPOSITORY / "manifests/samples/clickstream/pipeline.yaml"


@dataclass
class Command:
    """A running command and its lines so far."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    _news: threading.Condition = field(default_factory=threading.Condition)

    def read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            print(line, end="", flush=True)
            with self._news:
                self.lines.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def wait_for_line(self, part: str, seconds: float) -> str:
        """The first line that holds `part`; fails when the command ends or the deadline passes without it."""

        def found() -> str | None:
            return next((line for line in self.lines if part in line), None)

        with self._news:
            self._news.wait_for(lambda: found() is not None or self.process.poll() is not None, seconds)
        line = found()
        assert line is not None, f"no line with {part!r} within {seconds} s:\n{self.text}"
        return line

    def wait(self, seconds: float) -> int:
        return self.process.wait(seconds)


@dataclass
class Shell:
    """Starts commands of the repository's Python."""

    commands: list[Command] = field(default_factory=list)

    def start(self, *arguments: str) -> Command:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "COLUMNS": "160"},
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call
        )
        command = Command(process)
        threading.Thread(target=command.read, daemon=True).start()
        self.commands.append(command)
        return command

    def run(self, *arguments: str, seconds: float) -> tuple[int, str]:
        """Exit code and output."""
        command = self.start(*arguments)
        code = command.wait(seconds)
        return code, command.text


@pytest.fixture
def shell() -> Iterator[Shell]:
    shell = Shell()
    yield shell
    for command in shell.commands:
        if command.process.poll() is None:
            os.killpg(command.process.pid, signal.SIGKILL)
            command.wait(30)


def processes_of(state: Path) -> list[psutil.Process]:
    """What runs for a state folder: its path is in the arguments, the environment or the working folder."""
    found = []
    for process in psutil.process_iter():
        try:
            places = [*process.cmdline(), *process.environ().values(), process.cwd()]
        except psutil.Error:
            continue
        if process.pid != os.getpid() and any(str(state) in place for place in places):
            found.append(process)
    return found


@dataclass
class Leftovers:
    """Who still runs for a state folder."""

    state: Path

    def count(self) -> int:
        return len(processes_of(self.state))

    def after(self, seconds: float) -> list[str]:
        """Those that do not end within that time; returns as soon as there are none."""
        deadline = time.monotonic() + seconds
        while left := processes_of(self.state):
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return [f"{process.pid} {' '.join(process.cmdline())[:200]}" for process in left]
            psutil.wait_procs(left, remaining)
        return []


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder that does not exist yet."""
    return tmp_path / "state"


@pytest.fixture
def leftovers(state: Path) -> Leftovers:
    return Leftovers(state)
