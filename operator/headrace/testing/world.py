"""What all cases share: a broker, a registry where a format needs one, and one JVM that plans and runs their jobs.

Started once per `headrace test`, in a temporary folder; nothing of it outlives the command.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from headrace.core.platform import FlinkDefaults, Platform
from headrace.local.announce import Announcer
from headrace.local.flink_jobs import make_runner
from headrace.local.flink_rest import FlinkRest
from headrace.local.offline import NOWHERE
from headrace.local.planner import Planner
from headrace.local.ports import LOOPBACK
from headrace.local.processes.spawn import Spawner
from headrace.local.processes.supervisor import Supervisor
from headrace.local.services.apicurio import apicurio, registry_url
from headrace.local.services.kafka import MAX_TRANSACTION_MS, kafka
from headrace.local.services.kafka import NAME as KAFKA
from headrace.local.site import Site, open_site
from headrace.local.subjects import Subjects

SLOTS = 16
# Everything in one process: no port but the REST server's, and that on loopback.
CLUSTER = {
    "rest.address": LOOPBACK,
    "rest.bind-address": LOOPBACK,
    "rest.port": "0",
    "jobmanager.rpc.address": LOOPBACK,
    "jobmanager.bind-host": LOOPBACK,
    "taskmanager.host": LOOPBACK,
    "taskmanager.bind-host": LOOPBACK,
    "taskmanager.memory.managed.size": "512m",
    "taskmanager.memory.network.min": "96m",
    "taskmanager.memory.network.max": "96m",
    "web.submit.enable": "false",
}


@dataclass(frozen=True)
class World:
    """`registry` is None where all of the pipelines' topics are JSON. `rest`: "host:port" of the cluster."""

    bootstrap: str
    registry_url: str
    registry: Subjects | None
    planner: Planner
    rest: str
    flink: FlinkRest
    folder: Path

    def platform(self, prefix: str) -> Platform:
        """A platform of its own for a case: `prefix` starts the name of every topic, group and subject."""
        return Platform(
            name="test",
            kafka=(("bootstrap.servers", self.bootstrap),),
            registry_url=self.registry_url,
            flink=FlinkDefaults(
                checkpoint_dir=(self.folder / "checkpoints").as_uri(),
                savepoint_dir=(self.folder / "savepoints").as_uri(),
                transaction_timeout_ms=MAX_TRANSACTION_MS,
                bounded=True,
            ),
            auth=NOWHERE.auth,
            snowflake=NOWHERE.snowflake,
            database=NOWHERE.database,
            topic_prefix=prefix,
        )


@asynccontextmanager
async def open_world(announcer: Announcer, *, with_registry: bool) -> AsyncIterator[World]:
    """Raises PartError when a part cannot be had."""
    with (
        tempfile.TemporaryDirectory(prefix="headrace-test-", ignore_cleanup_errors=True) as folder,
        Spawner() as spawner,
    ):
        site = open_site(Path(folder), announcer)
        supervisor = Supervisor(spawner, announcer)
        planner: Planner | None = None
        try:
            with announcer.work("starting a broker and Flink for the fixtures"):
                broker = asyncio.create_task(_broker(site, supervisor))
                registry = asyncio.create_task(_registry(site, supervisor) if with_registry else _none())
                runner = await make_runner(site, spawner)
                planner = Planner(site, spawner, runner, {}, record=False)
                temporary = {"io.tmp.dirs": str(site.folder("tmp")), "blob.storage.directory": str(site.folder("blob"))}
                rest = await planner.start_cluster({**CLUSTER, **temporary}, SLOTS)
                await broker
                subjects = await registry
            url = registry_url(site) if with_registry else NOWHERE.registry_url
            yield World(
                site.address(KAFKA), url, subjects, planner, rest, FlinkRest(f"http://{rest}"), Path(folder)
            )  # fmt: skip
        finally:
            if planner is not None:
                await planner.close()
            await supervisor.stop_all()


async def _broker(site: Site, supervisor: Supervisor) -> None:
    await supervisor.start(await kafka(site, supervisor.spawner))


async def _registry(site: Site, supervisor: Supervisor) -> Subjects:
    await supervisor.start(await apicurio(site))
    return Subjects(registry_url(site))


async def _none() -> None:
    return None
