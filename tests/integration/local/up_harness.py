"""`headrace up` in a process of its own, as a user runs it; shared by the tests of its whole life."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil
from tests.children import die_with_parent

from headrace.local.keys import sign_token

HEADRACE = [sys.executable, "-m", "headrace.cli.main"]


def until(condition: Callable[[], Any], what: str, seconds: float = 240) -> Any:
    """The condition's first true value; it is asked again until the deadline."""
    deadline = time.monotonic() + seconds
    pause = socket.socketpair()[0]
    pause.settimeout(0.3)
    while True:
        with contextlib.suppress(httpx.HTTPError, StopIteration):
            if value := condition():
                return value
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        with contextlib.suppress(TimeoutError):
            pause.recv(1)


class Running:
    """A `headrace up` in a process of its own."""

    def __init__(self, folder: Path, state: Path, *arguments: str, text: str) -> None:
        self.state, self.file, self.output = state, folder / "pipeline.yaml", folder / "up.log"
        self.file.write_text(text)
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [*HEADRACE, "up", "-f", str(self.file), "--state", str(state), *arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call
            )

    def printed(self) -> str:
        return self.output.read_text()

    def status(self) -> dict[str, Any]:
        done = subprocess.run(
            [*HEADRACE, "status", "--json", "--state", str(self.state)], capture_output=True, text=True, check=False
        )
        status: dict[str, Any] = json.loads(done.stdout)
        return status

    def part(self, name: str) -> dict[str, Any]:
        return next(part for part in self.status()["parts"] if part["name"] == name)

    def wait_up(self) -> Running:
        def up() -> bool:
            assert self.process.poll() is None, self.printed()
            return "\nup: " in self.printed()

        until(up, "everything is up")
        return self

    def descendants(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(timeout=30)

    def api(self, pipeline: str, *scopes: str) -> httpx.Client:
        """A client of a pipeline's gateway whose token has these scopes."""
        url = self.status()["addresses"]["gateways"][pipeline]
        headers = {"Authorization": f"Bearer {sign_token(self.state, list(scopes), 600)}"}
        return httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False)


def headrace(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [*HEADRACE, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
