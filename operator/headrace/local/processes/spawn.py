"""Starts tethered processes. A `Spawner` is one run's: it owns the guard and the pipe that the guard watches."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

TETHER = Path(__file__).with_name("tether.py")
MAX_LINE = 64 << 20  # bytes of a line that is read from a process's standard output
GUARD = Path(__file__).with_name("guard.py")


class Spawner:
    """Use as a context manager, in the thread whose loop starts the processes (see tether.py)."""

    def __init__(self) -> None:
        self._pipe = -1
        self._guard: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Spawner:
        read, self._pipe = os.pipe()
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", str(GUARD)],
            stdin=read,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(read)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._pipe)
        if self._guard is not None:
            self._guard.wait(timeout=10)

    @property
    def guard_pid(self) -> int | None:
        return self._guard.pid if self._guard else None

    async def start(
        self,
        command: Sequence[str],
        *,
        output: IO[bytes] | int,
        errors: IO[bytes] | int = asyncio.subprocess.STDOUT,
        environ: Mapping[str, str] | None = None,
        folder: Path | None = None,
        stdin: int = asyncio.subprocess.DEVNULL,
    ) -> asyncio.subprocess.Process:
        """The command in a session, and so a process group, of its own; its output goes to `output`."""
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(TETHER), str(os.getpid()), str(self._pipe), *command),
            stdin=stdin,
            stdout=output,
            stderr=errors,
            env=None if environ is None else dict(environ),
            cwd=folder,
            start_new_session=True,
            pass_fds=(self._pipe,),
            limit=MAX_LINE,
        )

    def ended(self, process: asyncio.subprocess.Process) -> None:
        """To call when a process is gone: ends what it left in its group, and tells the guard."""
        signal_group(process, signal.SIGKILL)
        with contextlib.suppress(BrokenPipeError):
            os.write(self._pipe, f"-{process.pid}\n".encode())


def signal_group(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """Signals the process and all of its group; nothing happens when they are gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


async def stop(process: asyncio.subprocess.Process, deadline: float) -> bool:
    """SIGTERM to the group, SIGKILL after `deadline` seconds; True when it went by itself."""
    if process.returncode is not None:
        return True
    signal_group(process, signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), deadline)
    except TimeoutError:
        signal_group(process, signal.SIGKILL)
        await process.wait()
        return False
    return True
