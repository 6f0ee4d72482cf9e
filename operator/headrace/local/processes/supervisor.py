"""Keeps services running: starts each, probes until it is ready, starts it again when it dies, stops all in order.

What happens is said aloud through the announcer. A service that dies quickly several times in a row, or never gets
ready, ends the run: `failed` then carries a PartError with its last log lines.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from headrace.local.announce import Announcer
from headrace.local.errors import PartError
from headrace.local.processes import logs
from headrace.local.processes.spawn import Spawner, stop

PROBE_EVERY = 0.2  # seconds
ROTATE_EVERY = 10.0


@dataclass(frozen=True)
class Service:
    """What runs. `command` is called at each start, as files it names may have changed since the last.

    `probe` returns None when the service is ready, else what it still waits for; it may raise OSError.
    `stop_rank`: lower ranks are stopped first. `stop_seconds`: from SIGTERM to SIGKILL.
    """

    name: str
    command: Callable[[], list[str]]
    probe: Callable[[], Awaitable[str | None]]
    log: Path
    environ: Mapping[str, str] | None = None
    folder: Path | None = None
    ready_seconds: float = 60.0
    stop_rank: int = 5
    stop_seconds: float = 15.0
    prepare: Callable[[], Awaitable[None]] | None = None
    stopped: Callable[[], None] | None = None
    advice: str = ""


class State(StrEnum):
    STARTING = "starting"
    READY = "ready"
    WAITING = "waiting to start again"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True)
class Patience:
    """How often and how fast a service is started again. Seconds."""

    quick_deaths: int = 5
    late_starts: int = 2  # starts in a row that were not ready in time
    quick: float = 20.0  # a life shorter than this is a quick death
    first_backoff: float = 0.5
    max_backoff: float = 15.0


@dataclass
class Running:
    """One service's life. Fields are for reading; the supervisor's task writes them."""

    service: Service
    state: State = State.STARTING
    process: asyncio.subprocess.Process | None = None
    restarts: int = 0
    started: float = 0.0
    ready_after: float | None = None  # seconds from the start to ready
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    stopping: bool = False
    log_start: int = 0  # where in the log this life begins
    too_late: bool = False  # this life was not ready in time

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process and self.process.returncode is None else None


class Supervisor:
    """All services of one run. `failed` is set once a service is given up."""

    def __init__(
        self,
        spawner: Spawner,
        announcer: Announcer,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.spawner = spawner
        self.announcer = announcer
        self.patience = patience or Patience()
        self.clock = clock
        self.running: dict[str, Running] = {}
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._rotation = asyncio.create_task(self._rotate())

    async def start(self, service: Service) -> Running:
        """Starts the service and returns when it is ready; raises PartError when it is given up."""
        if service.name in self.running:
            raise ValueError(f"{service.name} runs already")
        running = self.running[service.name] = Running(service)
        running.task = asyncio.create_task(self._live(running), name=service.name)
        ready = asyncio.create_task(running.ready.wait())
        try:
            await asyncio.wait({ready, running.task}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
        if not running.ready.is_set():
            await running.task  # raises why
        return running

    async def stop(self, name: str) -> None:
        """Stops one service for good; does nothing when it does not run."""
        running = self.running.pop(name, None)
        if running is None:
            return
        running.stopping = True
        if running.process is not None and running.process.returncode is None:
            in_time = await stop(running.process, running.service.stop_seconds)
            if not in_time:
                self.announcer.say(f"{name} did not stop within {running.service.stop_seconds:.0f} s: killed")
            elif running.service.stopped is not None:
                running.service.stopped()
        if running.task is not None:
            running.task.cancel()
            await asyncio.gather(running.task, return_exceptions=True)
        running.state = State.STOPPED

    async def stop_all(self) -> None:
        """Everything, rank by rank: what writes is stopped before what it writes to."""
        self._rotation.cancel()
        while self.running:
            rank = min(running.service.stop_rank for running in self.running.values())
            names = [name for name, running in self.running.items() if running.service.stop_rank == rank]
            await asyncio.gather(*(self.stop(name) for name in names))
        if not self.failed.cancel() and not self.failed.cancelled():
            self.failed.exception()  # marks it as seen

    async def _live(self, running: Running) -> None:
        """Lives of one service, one after the other. Ends by cancellation or with PartError."""
        service, patience = running.service, self.patience
        quick_deaths = late_starts = 0
        try:
            while True:
                born = self.clock()
                how = await self._one_life(running)
                if running.stopping:
                    return
                lived = self.clock() - born
                quick_deaths = quick_deaths + 1 if lived < patience.quick else 1
                late_starts = late_starts + 1 if running.too_late else 0
                if quick_deaths >= patience.quick_deaths or late_starts >= patience.late_starts:
                    raise _given_up(running, how, max(quick_deaths, late_starts))
                pause = min(patience.max_backoff, patience.first_backoff * 2 ** (quick_deaths - 1))
                running.state = State.WAITING
                running.restarts += 1
                self.announcer.say(f"{service.name} {how}; starting it again in {pause:g} s")
                await asyncio.sleep(pause)
        except (PartError, OSError) as error:
            # OSError: no process or no log file could be made (say, a full disk); nobody else would see this task end.
            failure = error if isinstance(error, PartError) else _not_started(service, error)
            running.state = State.FAILED
            if running.ready.is_set() and not self.failed.done():
                self.failed.set_exception(failure)
            if failure is error:
                raise
            raise failure from error
        finally:
            process = running.process
            if process is not None and process.returncode is None:
                await asyncio.shield(stop(process, service.stop_seconds))
            if process is not None:
                self.spawner.ended(process)

    async def _one_life(self, running: Running) -> str:
        """From start to death; returns how it died, for a person."""
        service = running.service
        if service.prepare is not None:
            await service.prepare()
        running.state = State.STARTING
        running.too_late = False
        running.started = self.clock()
        with logs.open_log(service.log) as log:
            running.log_start = service.log.stat().st_size
            process = await self.spawner.start(
                service.command(), output=log, environ=service.environ, folder=service.folder
            )
        running.process = process
        death = asyncio.create_task(process.wait())
        try:
            waited_for = await self._until_ready(running, death)
            if waited_for is not None:
                running.too_late = True
                await stop(process, service.stop_seconds)
                self.spawner.ended(process)
                return f"was not ready within {service.ready_seconds:.0f} s ({waited_for})"
            code = await death
        finally:
            death.cancel()
        self.spawner.ended(process)
        return describe_exit(code)

    async def _until_ready(self, running: Running, death: asyncio.Task[int]) -> str | None:
        """None when ready or dead; else what the probe still waited for at the deadline."""
        service = running.service
        deadline = running.started + service.ready_seconds
        waits_for = "no answer"
        while not death.done():
            try:
                answer = await service.probe()
            except OSError as error:
                answer = str(error) or type(error).__name__
            if answer is None and not death.done():
                running.ready_after = self.clock() - running.started
                running.state = State.READY
                if running.restarts and running.ready.is_set():
                    self.announcer.say(f"{service.name} is back after {running.ready_after:.1f} s")
                running.ready.set()
                return None
            waits_for = answer or waits_for
            if self.clock() > deadline:
                return waits_for
            await asyncio.wait({death}, timeout=PROBE_EVERY)
        return None

    async def _rotate(self) -> None:
        while True:
            await asyncio.sleep(ROTATE_EVERY)
            for running in list(self.running.values()):
                with contextlib.suppress(OSError):  # looked at again in the next round
                    logs.bound(running.service.log)


def _not_started(service: Service, error: OSError) -> PartError:
    return PartError(f"{service.name} cannot be started: {error}", f"its log is {service.log}")


def _given_up(running: Running, how: str, times: int) -> PartError:
    service = running.service
    return PartError(
        f"{service.name} {how}, {times} times in a row; its log is {service.log}",
        service.advice or "see the log for the reason",
        logs.last_lines(service.log, since=running.log_start),
    )


def describe_exit(code: int) -> str:
    """`ended (exit code 1)` or `was killed (SIGKILL)`."""
    if code >= 0:
        return f"ended (exit code {code})"
    try:
        return f"was killed ({signal.Signals(-code).name})"
    except ValueError:
        return f"was killed (signal {-code})"
