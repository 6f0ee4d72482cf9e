"""One Flink session cluster from the wheel: a job manager and a task manager as plain Java processes.

No script of Flink's runs: the memory settings that they would derive are written out here, and the sums must agree
with the JVM's flags (task + framework heap = -Xmx; off-heap + network = -XX:MaxDirectMemorySize).
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from headrace.local.flink_metrics import PUSH_SECONDS
from headrace.local.java import Java, find_java
from headrace.local.loopback import loopback_client
from headrace.local.ports import LOOPBACK
from headrace.local.processes.supervisor import Service
from headrace.local.services.jvm import LIGHT, RECORDING_STOP_SECONDS, SERIAL, archive_of, class_path
from headrace.local.site import Site

JOB_MANAGER, TASK_MANAGER = "flink-jobmanager", "flink-taskmanager"
MINIMUM_JAVA = 17
SLOTS = 16
# Only planning needs these, and planning happens in the client.
CLIENT_ONLY = (
    "flink-scala_2.12", "flink-table-planner-loader", "flink-connector-files", "flink-csv", "log4j-layout-template-json"
)  # fmt: skip

LOG4J = """\
rootLogger.level = INFO
rootLogger.appenderRef.console.ref = Console
appender.console.name = Console
appender.console.type = CONSOLE
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %-5p %c{1.} - %m%n
logger.kafka.name = org.apache.kafka
logger.kafka.level = WARN
logger.pekko.name = org.apache.pekko
logger.pekko.level = WARN
"""


@dataclass(frozen=True)
class FlinkCluster:
    """A cluster in the state folder; `home` is the pyflink package's folder, `conf` what clients use, too."""

    home: Path
    conf: Path
    rest: str
    job_manager: Service
    task_manager: Service

    @property
    def environ(self) -> dict[str, str]:
        """What a client of this cluster needs in its environment."""
        return {"FLINK_HOME": str(self.home), "FLINK_CONF_DIR": str(self.conf)}


def java_options(home: Path) -> list[str]:
    """The --add-exports and --add-opens that the wheel's own configuration has."""
    text = (home / "conf" / "config.yaml").read_text()
    match = re.search(r"^\s+all:\s*(--add-\S.*)$", text, re.MULTILINE)
    return match[1].split() if match else []


def config(site: Site, home: Path) -> dict[str, object]:
    """config.yaml, flat. All addresses are loopback; checkpoints and savepoints are in the state folder."""
    flink = site.state / "flink"
    return {
        "env.java.opts.all": " ".join(java_options(home)),
        "jobmanager.rpc.address": LOOPBACK,
        "jobmanager.rpc.port": site.ports.port("flink-rpc"),
        "jobmanager.bind-host": LOOPBACK,
        "jobmanager.memory.heap.size": "256m",
        "jobmanager.execution.failover-strategy": "region",
        "rest.address": LOOPBACK,
        "rest.bind-address": LOOPBACK,
        "rest.port": site.ports.port("flink"),
        "web.submit.enable": "false",
        "taskmanager.host": LOOPBACK,
        "taskmanager.bind-host": LOOPBACK,
        "taskmanager.numberOfTaskSlots": SLOTS,
        "taskmanager.cpu.cores": 2.0,
        "taskmanager.memory.task.heap.size": "512m",
        "taskmanager.memory.framework.heap.size": "128m",
        "taskmanager.memory.task.off-heap.size": "0b",
        "taskmanager.memory.framework.off-heap.size": "128m",
        "taskmanager.memory.network.min": "96m",
        "taskmanager.memory.network.max": "96m",
        # Window aggregates buffer in managed memory; it is taken from the system only as it is used.
        "taskmanager.memory.managed.size": "640m",
        "taskmanager.memory.jvm-metaspace.size": "256m",
        "taskmanager.memory.jvm-overhead.min": "128m",
        "taskmanager.memory.jvm-overhead.max": "128m",
        # A killed task manager is noticed in seconds, not in the default 50.
        "heartbeat.interval": 1000,
        "heartbeat.timeout": 6000,
        "slot.request.timeout": 60000,
        "restart-strategy.type": "exponential-delay",
        "restart-strategy.exponential-delay.initial-backoff": "200 ms",
        "restart-strategy.exponential-delay.max-backoff": "5 s",
        "execution.checkpointing.dir": (flink / "checkpoints").as_uri(),
        "execution.checkpointing.savepoint-dir": (flink / "savepoints").as_uri(),
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        "execution.checkpointing.num-retained": 2,
        "io.tmp.dirs": flink / "tmp",
        "blob.storage.directory": flink / "blob",
    }


def metrics_config(address: str) -> dict[str, object]:
    """The reporter that pushes (flink_metrics.py says why)."""
    reporter = {
        "factory.class": "org.apache.flink.metrics.prometheus.PrometheusPushGatewayReporterFactory",
        "hostUrl": f"http://{address}",
        "jobName": "flink",
        "randomJobNameSuffix": "true",
        "deleteOnShutdown": "true",
        "filterLabelValueCharacters": "false",
        "interval": f"{PUSH_SECONDS} SECONDS",
    }
    return {"metrics.reporters": "prom", **{f"metrics.reporter.prom.{key}": value for key, value in reporter.items()}}


def write_config(site: Site, home: Path, metrics: str | None) -> Path:
    conf = site.folder("flink/conf")
    for name in ("tmp", "blob", "checkpoints", "savepoints"):
        site.folder(f"flink/{name}")
    settings = config(site, home) | (metrics_config(metrics) if metrics else {})
    lines = [f"{name}: {value}" for name, value in settings.items()]
    (conf / "config.yaml").write_text("\n".join(lines) + "\n")
    for name in ("log4j.properties", "log4j-cli.properties"):
        (conf / name).write_text(LOG4J)
    return conf


def flink_cluster(site: Site, home: Path, metrics: str | None = None) -> FlinkCluster:
    """The cluster's services; `home` is the pyflink folder of the Flink environment (environments.py).

    `metrics` is the address to which both processes push their figures.
    """
    java = find_java(MINIMUM_JAVA, "Flink", site.environ)
    conf = write_config(site, home, metrics)
    rest = f"http://{site.address('flink')}"
    life = _TaskManagerLife()
    jobs = _Role(
        JOB_MANAGER,
        (*LIGHT, "-Xms64m", "-Xmx256m", "-XX:MaxMetaspaceSize=256m"),
        "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint",
        lambda: ["--executionMode", "cluster"],
        stop_rank=7,
        probe=lambda: probe_job_manager(rest),
    )
    tasks = _Role(
        TASK_MANAGER,
        (*SERIAL, "-Xms128m", "-Xmx640m", "-XX:MaxDirectMemorySize=224m", "-XX:MaxMetaspaceSize=256m"),
        "org.apache.flink.runtime.taskexecutor.TaskManagerRunner",
        life.arguments,
        stop_rank=6,
        probe=lambda: probe_task_manager(rest, life.id),
    )
    return FlinkCluster(home, conf, rest, *(_service(site, java, home, conf, role) for role in (jobs, tasks)))


class _TaskManagerLife:
    """A new id for each start: the job manager lists a killed task manager until its heartbeat is overdue."""

    id = ""

    def arguments(self) -> list[str]:
        self.id = f"taskmanager-{time.time_ns()}"
        return [f"-Dtaskmanager.resource-id={self.id}"]


@dataclass(frozen=True)
class _Role:
    """What differs between the two processes."""

    name: str
    flags: tuple[str, ...]
    main: str
    arguments: Callable[[], list[str]]
    stop_rank: int
    probe: Callable[[], Awaitable[str | None]]


def _service(site: Site, java: Java, home: Path, conf: Path, role: _Role) -> Service:
    jars = sorted(
        jar for jar in (home / "lib").glob("*.jar") if not any(jar.name.startswith(f"{n}-") for n in CLIENT_ONLY)
    )
    archive = archive_of(site.cache, role.name, java, jars, role.flags)
    options = [*java_options(home), f"-Dlog4j.configurationFile={(conf / 'log4j.properties').as_uri()}"]

    def command() -> list[str]:
        head = [str(java.binary), *role.flags, *archive.flags(), *options, "-cp", class_path(jars)]
        return [*head, role.main, "--configDir", str(conf), *role.arguments()]

    return Service(
        role.name,
        command,
        role.probe,
        site.log(role.name),
        environ={
            **site.environ,
            "FLINK_CONF_DIR": str(conf),
            "FLINK_HOME": str(home),
            "FLINK_PLUGINS_DIR": str(home / "plugins"),
        },
        folder=site.state,
        stop_rank=role.stop_rank,
        stop_seconds=RECORDING_STOP_SECONDS if archive.recording else 15,
        stopped=archive.keep,
    )


async def probe_job_manager(rest: str) -> str | None:
    """None when the REST server leads the cluster."""
    return None if await _get(rest, "/overview") is not None else "the job manager is not leading yet"


async def probe_task_manager(rest: str, resource_id: str) -> str | None:
    """None when this very task manager is registered with its slots."""
    answer = await _get(rest, "/taskmanagers")
    if answer is None:
        return "no job manager"
    listed = answer.get("taskmanagers")
    registered = isinstance(listed, list) and any(manager.get("id") == resource_id for manager in listed)
    return None if registered else "it is not registered with the job manager yet"


async def _get(rest: str, path: str) -> dict[str, object] | None:
    try:
        async with loopback_client(3) as client:
            response = await client.get(rest + path)
    except httpx.HTTPError as error:
        raise OSError(f"{rest}: {error or type(error).__name__}") from error
    return response.json() if response.is_success else None
