"""Flink's planner, resident: one client process that lives as long as the run and answers requests as JSON lines.

`up` starts it beside the broker, so that its classes are warm before the first job can run; `validate --deep` and
`test` start one of their own. It ends with its standard input, that is, with whoever started it; one that died is
started again by the next request.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from headrace.core.documents import JobDocument
from headrace.local.environments import pyflink_home
from headrace.local.errors import PartError
from headrace.local.flink_jobs import Runner
from headrace.local.java import find_java
from headrace.local.processes import logs
from headrace.local.processes.spawn import Spawner, stop
from headrace.local.services.flink import MINIMUM_JAVA
from headrace.local.services.jvm import RECORDING_STOP_SECONDS, Archive, archive_of
from headrace.local.site import Site

NAME = "flink-planner"
START_SECONDS = 120.0
STOP_SECONDS = 15.0
KEPT_ARCHIVES = 3
# The same for every use, so that all share one archive; with a cluster inside it fills up to this.
MEMORY = ("-Xms64m", "-Xmx768m", "-XX:MaxMetaspaceSize=512m")


class Planner:
    def __init__(
        self, site: Site, spawner: Spawner, runner: Runner, environ: Mapping[str, str], *, record: bool = True
    ) -> None:
        """`environ` comes on top of the runner's. `record`: write the class-data archive if there is none, which takes
        seconds at the end: not for a command that somebody waits for."""
        self._site, self._spawner, self._runner = site, spawner, runner
        self._environ, self._record = {**runner.environ, **environ}, record
        self._process: asyncio.subprocess.Process | None = None
        self._ready = False
        self._ids = itertools.count(1)
        self._one_at_a_time = asyncio.Lock()  # answers come in the order of the requests
        self._archive: Archive | None = None

    async def check(self, document: JobDocument) -> dict[str, Any]:
        """Plans the job: `columns`, `output`, `missing`, `unfit`, or `error` (flink_jobs/…/submit.py, `inspect`)."""
        return await self.ask("check", document=_plain(document))

    async def describe(self, statements: Sequence[str], config: Mapping[str, str]) -> dict[str, Any]:
        """`columns` of the view `__result` that the statements end with, or `error`."""
        return await self.ask("describe", statements=list(statements), config=dict(config))

    async def submit(self, document: JobDocument, rest: str, state: str | None, ship: bool = True) -> dict[str, Any]:
        """`jobId`, or `error`. `rest`: "host:port"; `ship`: the cluster gets the jars with the job."""
        return await self.ask(
            "submit", document=_plain(document), jobmanager=rest, fromState=state, shipJars=ship
        )  # fmt: skip

    async def start_cluster(self, config: Mapping[str, str], slots: int) -> str:
        """The REST address of a cluster inside the planner's JVM."""
        answer = await self.ask("cluster", config=dict(config), slots=slots)
        if "error" in answer:
            raise PartError(f"no Flink cluster can be started: {answer['error']['message']}", f"see {self.log}")
        return str(answer["rest"])

    @property
    def log(self) -> str:
        return str(self._site.log(NAME))

    @property
    def pid(self) -> int | None:
        """Of the process that runs."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def ask(self, do: str, **request: Any) -> dict[str, Any]:
        """The answer. Raises PartError when the planner cannot be started, OSError when it died over the request."""
        async with self._one_at_a_time:
            process = await self._running()
            number = next(self._ids)
            assert process.stdin is not None and process.stdout is not None  # noqa: S101 - started with pipes
            try:
                process.stdin.write(json.dumps({"id": number, "do": do, **request}).encode() + b"\n")
                await process.stdin.drain()
                # Answers to requests whose asker gave up (a cancelled step) are still to come: they are skipped.
                while line := await process.stdout.readline():
                    answer: dict[str, Any] = json.loads(line)
                    if answer.get("id") == number:
                        return answer
            except ConnectionError:
                pass
            self._forget()
            raise OSError(f"Flink's planner died; it is started again (its log is {self.log})")

    async def start(self) -> None:
        """Returns when it is ready. Raises PartError."""
        async with self._one_at_a_time:
            await self._running()

    async def _running(self) -> asyncio.subprocess.Process:
        if self.pid is None:
            self._forget()
            self._process = await self._start()
        assert self._process is not None  # noqa: S101 - for the type checker
        if not self._ready:
            await self._until_ready(self._process)
        return self._process

    async def _start(self) -> asyncio.subprocess.Process:
        home = pyflink_home(self._runner.python)
        java = find_java(MINIMUM_JAVA, "Flink", self._site.environ)
        jars = [*sorted((home / "lib").glob("*.jar")), *self._runner.jars]
        flags = (*self._environ["JVM_ARGS"].split(), *MEMORY)
        archive = archive_of(self._site.cache, NAME, java, jars, flags)
        self._archive = archive if self._record and archive.recording else None
        archived = archive.flags() if self._record or not archive.recording else []
        environ = {**self._environ, "JVM_ARGS": " ".join([*flags, *archived])}
        command = [*self._runner.command, "serve", "--planner", str(self._site.cache / "unpacked")]
        for jar in self._runner.jars:
            command += ["--jar", str(jar)]
        with logs.open_log(self._site.log(NAME)) as errors:
            return await self._spawner.start(
                command, output=asyncio.subprocess.PIPE, errors=errors, environ=environ, folder=self._site.state,
                stdin=asyncio.subprocess.PIPE,
            )  # fmt: skip

    async def _until_ready(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101
        line = b""
        with contextlib.suppress(TimeoutError):
            line = await asyncio.wait_for(process.stdout.readline(), START_SECONDS)
        if not line:
            self._forget()
            raise PartError(
                f"Flink's planner cannot be started; its log is {self.log}",
                "see the log",
                logs.last_lines(self._site.log(NAME)),
            )
        self._ready = True

    def _forget(self) -> None:
        if self._process is not None:
            self._spawner.ended(self._process)  # a JVM that its Python left behind
        self._process, self._ready = None, False

    async def close(self) -> None:
        """Ends it; a JVM that records its class-data archive is given the time to write it."""
        process = self._process
        if process is None:
            return
        assert process.stdin is not None  # noqa: S101
        process.stdin.close()
        if self._archive is None:
            await _gone(process, STOP_SECONDS)
        else:
            with self._site.announcer.work("Flink's planner writes its class archive, for faster starts"):
                await _gone(process, RECORDING_STOP_SECONDS)
            if process.returncode == 0:
                self._archive.keep()
                _forget_old_archives(self._archive.file)
        self._forget()


def _forget_old_archives(newest: Path) -> None:
    """Of other jars or another Java; about 90 MB each. A process that still uses one keeps it until it ends."""
    kept = [file for file in newest.parent.glob(f"{NAME}-*{newest.suffix}") if file != newest]
    for file in sorted(kept, key=lambda file: file.stat().st_mtime_ns, reverse=True)[KEPT_ARCHIVES - 1 :]:
        file.unlink(missing_ok=True)


async def _gone(process: asyncio.subprocess.Process, seconds: float) -> None:
    """Waits for it to end by itself; from then on it is made to."""
    try:
        await asyncio.wait_for(process.wait(), seconds)
    except TimeoutError:
        await stop(process, STOP_SECONDS)


def _plain(document: JobDocument) -> dict[str, Any]:
    return document.model_dump(mode="json", by_alias=True)
