"""Processes end with their run, however it ends; what dies is started again; what cannot start is given up."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import psutil
import pytest

from headrace.local.announce import LineAnnouncer
from headrace.local.errors import PartError
from headrace.local.processes import logs
from headrace.local.processes.spawn import Spawner
from headrace.local.processes.supervisor import Patience, Service, State, Supervisor

pytestmark = pytest.mark.anyio

QUICK = Patience(quick_deaths=3, first_backoff=0.01, max_backoff=0.05)


def until(condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Waits on the condition, by looking again; fails at the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run([sys.executable, "-S", "-c", "pass"], timeout=5, check=False)


async def soon(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what is waited for is another process
            await asyncio.sleep(0.02)


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def always_ready() -> str | None:
    return None


@contextlib.asynccontextmanager
async def supervisor(said: list[str]) -> AsyncIterator[Supervisor]:
    with Spawner() as spawner:
        running = Supervisor(spawner, LineAnnouncer(said.append), QUICK)
        try:
            yield running
        finally:
            await running.stop_all()


def service(
    folder: Path, script: str, probe: Callable[[], Awaitable[str | None]] = always_ready, **more: object
) -> Service:
    return Service("thing", lambda: ["/bin/sh", "-c", script], probe, folder / "thing.log", **more)  # type: ignore[arg-type]


RUN = """
    import asyncio, sys
    from headrace.local.processes.spawn import Spawner

    async def main():
        with Spawner() as spawner:
            # A child with a grandchild in its group, and one that ignores SIGTERM.
            for script in ("sleep 600 & sleep 600", "trap '' TERM; while true; do sleep 600; done"):
                process = await spawner.start(["/bin/sh", "-c", script], output=asyncio.subprocess.DEVNULL)
                print(process.pid, flush=True)
            print("started", flush=True)
            await asyncio.sleep(600)

    asyncio.run(main())
"""


@pytest.mark.parametrize("moment", ["first child", "all started"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_a_run_that_is_killed(moment: str, number: signal.Signals) -> None:
    run = subprocess.Popen([sys.executable, "-c", textwrap.dedent(RUN)], stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    for line in run.stdout:
        if moment == "first child" or line.startswith("started"):
            break
    below = psutil.Process(run.pid).children(recursive=True)
    assert below
    run.send_signal(number)
    run.wait(timeout=10)
    run.stdout.close()
    until(lambda: all(is_gone(child.pid) for child in below), "every descendant is gone")


def test_the_guard_alone_ends_a_killed_run(tmp_path: Path) -> None:
    """Where the system has no parent-death signal: the tether is told a platform without one."""
    tether = Path(logs.__file__).with_name("tether.py").read_text().replace('sys.platform == "linux"', "False")
    (tmp_path / "tether.py").write_text(tether)
    script = textwrap.dedent(RUN).replace(
        "async def main",
        f"import headrace.local.processes.spawn as s; s.TETHER = {str(tmp_path / 'tether.py')!r}\n\nasync def main",
        1,
    )
    run = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    for line in run.stdout:
        if line.startswith("started"):
            break
    below = psutil.Process(run.pid).children(recursive=True)
    run.kill()
    run.wait(timeout=10)
    run.stdout.close()
    until(lambda: all(is_gone(child.pid) for child in below), "every descendant is gone")


async def test_a_service_that_dies_is_started_again_and_said_so(tmp_path: Path) -> None:
    said: list[str] = []
    async with supervisor(said) as running:
        thing = await running.start(service(tmp_path, "exec sleep 600"))
        assert thing.pid is not None
        first = thing.pid
        os.kill(first, signal.SIGKILL)
        await soon(lambda: thing.restarts == 1 and thing.state is State.READY)
        assert thing.pid != first
    assert "thing was killed (SIGKILL); starting it again in 0.01 s" in said
    assert any(line.startswith("thing is back after") for line in said)


async def test_a_service_that_cannot_start_shows_its_last_log_lines(tmp_path: Path) -> None:
    async with supervisor([]) as running:
        with pytest.raises(PartError) as caught:
            await running.start(service(tmp_path, "echo the port is taken; exit 7", never, advice="free the port"))
    assert "thing ended (exit code 7), 3 times in a row" in caught.value.what
    assert caught.value.log == ("the port is taken",)
    assert caught.value.todo == "free the port"


async def test_a_service_that_keeps_dying_later_ends_the_run(tmp_path: Path) -> None:
    async with supervisor([]) as running:
        await running.start(service(tmp_path, "sleep 0.3; exit 1"))
        with pytest.raises(PartError, match="3 times in a row"):
            await asyncio.wait_for(asyncio.shield(running.failed), 30)


async def never() -> str | None:
    return "it never is"


async def test_a_service_that_is_never_ready_is_given_up_with_what_it_waited_for(tmp_path: Path) -> None:
    async with supervisor([]) as running:
        with pytest.raises(PartError, match=r"was not ready within 0 s \(it never is\), 2 times"):
            await running.start(service(tmp_path, "exec sleep 600", never, ready_seconds=0.2))


async def test_a_command_that_is_not_there_is_said(tmp_path: Path) -> None:
    async with supervisor([]) as running:
        missing = Service("thing", lambda: ["/nowhere/java"], never, tmp_path / "thing.log")
        with pytest.raises(PartError) as caught:
            await running.start(missing)
    assert "cannot start /nowhere/java: No such file or directory" in caught.value.log


async def test_what_ignores_sigterm_is_killed_after_its_deadline(tmp_path: Path) -> None:
    said: list[str] = []
    script = "trap '' TERM; echo ready; while true; do sleep 0.1; done"

    async def ready() -> str | None:
        return None if "ready" in (tmp_path / "thing.log").read_text() else "its trap"

    async with supervisor(said) as running:
        thing = await running.start(service(tmp_path, script, ready, stop_seconds=0.2))
        pid = thing.pid
        await running.stop("thing")
        assert pid is not None
        assert is_gone(pid)
    assert "thing did not stop within 0 s: killed" in said


async def test_what_writes_is_stopped_before_what_it_writes_to(tmp_path: Path) -> None:
    order = tmp_path / "order"
    script = "trap 'echo {name} >> {order}; exit 0' TERM; echo up >> {up}; while true; do sleep 0.05; done"
    async with supervisor([]) as running:
        for name, rank in (("broker", 9), ("gateway", 1), ("loader", 2)):
            up = tmp_path / f"{name}.up"

            async def ready(up: Path = up) -> str | None:
                return None if os.path.exists(up) else "its trap"  # noqa: PTH110, ASYNC240 - a local file

            filled = script.format(name=name, order=order, up=up)
            command = ["/bin/sh", "-c", filled]
            await running.start(
                Service(name, lambda command=command: command, ready, tmp_path / f"{name}.log", stop_rank=rank)  # type: ignore[misc]
            )
        await running.stop_all()
    assert order.read_text().split() == ["gateway", "loader", "broker"]


def test_logs_are_bounded(tmp_path: Path) -> None:
    file = tmp_path / "thing.log"
    with logs.open_log(file) as log:
        log.write(b"old\n" * 1000)
        logs.bound(file, max_bytes=1000)
        log.write(b"new\n")
    assert file.read_text() == "new\n", "the process goes on writing at the file's new end"
    assert (tmp_path / "thing.log.1").stat().st_size == 4000
    assert logs.last_lines(file) == ("new",)


async def test_a_service_that_cannot_even_be_started_again_ends_the_run_with_why(tmp_path: Path) -> None:
    lives = iter([[sys.executable, "-c", "pass"]])

    def command() -> list[str]:
        try:
            return next(lives)
        except StopIteration:
            raise OSError(errno.ENOSPC, "No space left on device") from None

    async with supervisor([]) as running:
        await running.start(Service("short", command, always_ready, tmp_path / "short.log"))
        with pytest.raises(PartError, match=r"short cannot be started: .*No space left"):
            await asyncio.wait_for(running.failed, 30)
