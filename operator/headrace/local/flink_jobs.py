"""What a job submission needs besides the cluster: the Flink environment, the jars and the runner's command line."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from headrace.local import environments
from headrace.local.errors import PartError
from headrace.local.java import find_java
from headrace.local.parts.lock import read_lock
from headrace.local.processes import logs
from headrace.local.processes.spawn import Spawner
from headrace.local.services.flink import MINIMUM_JAVA
from headrace.local.site import Site

NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"


@dataclass(frozen=True)
class Runner:
    """`python -m headrace_flink` in the Flink environment; `jars` go along with every job."""

    python: Path
    jars: tuple[Path, ...]
    environ: dict[str, str]

    @property
    def command(self) -> list[str]:
        return [str(self.python), "-m", "headrace_flink"]


async def make_runner(site: Site, spawner: Spawner) -> Runner:
    """The runner, its environment installed and its jar built if need be. Raises PartError."""
    python = await environments.make_environment(site, spawner, environments.flink_environment())
    lock = read_lock()
    connectors = await site.fetcher.fetch("Flink's connectors and formats", lock["flink-connectors"])
    [ecj] = await site.fetcher.fetch("the Java compiler", lock["ecj"])
    java = find_java(MINIMUM_JAVA, "Flink", site.environ)
    environ = {
        **{name: value for name, value in site.environ.items() if name not in ("VIRTUAL_ENV", NO_BYTECODE)},
        "PYTHONPATH": str(environments.flink_jobs_folder()),
        # uv compiles nothing, and an installed Headrace may be read-only: without a folder for its bytecode, each start
        # would compile all of PyFlink's libraries anew, which is 4 s of CPU.
        "PYTHONPYCACHEPREFIX": str(site.cache / "bytecode"),
        "JAVA_HOME": str(java.binary.parent.parent),
        # The planner works for seconds only: compiling for the long run would cost more than it brings.
        "JVM_ARGS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "FLINK_LOG_DIR": str(site.folder("logs")),
    }
    runner = Runner(python, tuple(connectors), environ)
    jar = await _build(site, spawner, runner, ecj, str(java.binary))
    return Runner(python, (*connectors, jar), environ)


async def _build(site: Site, spawner: Spawner, runner: Runner, ecj: Path, java: str) -> Path:
    """Our connector's jar, made in the cache when its sources are new; the builder prints its path."""
    log = site.log("build-connector")
    log.parent.mkdir(parents=True, exist_ok=True)
    read, write = os.pipe()
    command = [
        *(str(runner.python), "-m", "headrace_flink.build", "--ecj", str(ecj), "--java", java),
        *("--out", str(site.cache / "connectors")),
    ]
    for jar in runner.jars:
        command += ["--classpath-jar", str(jar)]
    with site.announcer.work("building the Flink connector"):
        with logs.open_log(log) as output:
            process = await spawner.start(command, output=write, errors=output, environ=runner.environ)
        os.close(write)
        code = await process.wait()
        spawner.ended(process)
        with os.fdopen(read) as printed:
            path = printed.read().strip()
    if code != 0 or not path:
        raise PartError(f"cannot build the Flink connector; the log is {log}", "see the log", logs.last_lines(log))
    return Path(path.splitlines()[-1])
