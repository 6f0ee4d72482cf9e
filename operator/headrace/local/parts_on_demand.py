"""The shared parts of a run, each started when a plan first needs it, all at the same time.

A pipeline without jobs never fetches Flink; one without sinks never starts the warehouse's stand-in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from contextlib import ExitStack
from typing import Any

from headrace.core.documents import JobDocument
from headrace.core.plan import Plan
from headrace.local import environments
from headrace.local.backend import Parts
from headrace.local.errors import PartError
from headrace.local.flink_jobs import Runner, make_runner
from headrace.local.flink_metrics import PushedMetrics, served
from headrace.local.jobs import Jobs
from headrace.local.planner import Planner
from headrace.local.processes.supervisor import Supervisor
from headrace.local.services.apicurio import NAME as APICURIO
from headrace.local.services.apicurio import apicurio, registry_url
from headrace.local.services.flink import JOB_MANAGER, TASK_MANAGER, FlinkCluster, flink_cluster
from headrace.local.services.kafka import NAME as KAFKA
from headrace.local.services.kafka import kafka
from headrace.local.services.stand_in import NAME as STAND_IN
from headrace.local.services.stand_in import stand_in
from headrace.local.site import Site
from headrace.local.state import Records
from headrace.local.subjects import Subjects
from headrace.local.topics import Topics

METRICS = "flink-metrics"
WARMING_JOBS = 2  # the first plan loads most classes; more would only take the cores from what else starts


class PartsOnDemand:
    """`failed` gets the exception of the first part that could not be had or started, until the run is `settled`.

    From then on a part that cannot be had (say, without a network) fails only the steps that wait for it: its future
    gets the error, and the next `need` tries it anew.
    """

    def __init__(self, site: Site, supervisor: Supervisor, records: Records, real_snowflake: bool = False) -> None:
        self._site, self._supervisor, self._records = site, supervisor, records
        self._real_snowflake = real_snowflake
        loop = asyncio.get_running_loop()
        self.parts = Parts(loop.create_future(), loop.create_future(), loop.create_future(), loop.create_future())
        self.failed: asyncio.Future[None] = loop.create_future()
        self.settled = False
        self.planner: Planner | None = None
        self._first_jobs: tuple[JobDocument, ...] = ()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._open = ExitStack()

    def need(self, plans: Iterable[Plan]) -> None:
        """Starts what these plans need and does not run yet."""
        plans = list(plans)
        self._first_jobs = tuple(job.document for plan in plans for job in plan.jobs)[:WARMING_JOBS]
        self._start("topics", self._broker, KAFKA)
        self._start("subjects", self._registry, APICURIO)
        if any(plan.jobs for plan in plans):
            self._start("jobs", self._flink, JOB_MANAGER, TASK_MANAGER)
        if any(plan.loaders for plan in plans):
            self._start("warehouse", self._stand_in, STAND_IN)

    async def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        if self.planner is not None:
            await self.planner.close()
        for future in (*self.parts.futures.values(), self.failed):
            future.cancel()

    def close_last(self) -> None:
        """To call when no process pushes any more."""
        self._open.close()

    def _start(self, part: str, make: Callable[[], Coroutine[Any, Any, Any]], *services: str) -> None:
        """Fills the part's future; `services` are those that it starts."""
        if part in self._tasks:
            return
        if self.parts.futures[part].done():  # it failed when it was last needed
            self.parts.renew(part)
        future = self.parts.futures[part]

        async def fill() -> None:
            try:
                future.set_result(await make())
            except Exception as raised:
                error = first_cause(raised)
                if not self.settled or not isinstance(error, PartError | OSError):
                    if not self.failed.done():
                        self.failed.set_exception(error)
                    return
                for service in services:  # one of them may run already
                    await self._supervisor.stop(service)
                future.set_exception(error)
                future.exception()  # marks it as seen: no step may be waiting for it
                self._tasks.pop(part, None)

        self._tasks[part] = asyncio.create_task(fill(), name=part)

    async def _broker(self) -> Topics:
        await self._supervisor.start(await kafka(self._site, self._supervisor.spawner))
        return Topics(self._site.address("kafka"))

    async def _broker_first(self) -> None:
        """What is fetched is fetched at once; what is started is started behind the broker, because the gateway needs
        nothing else, and JVMs that start together on two cores make each other late."""
        await asyncio.shield(self.parts.futures["topics"])

    async def _registry(self) -> Subjects:
        service = await apicurio(self._site)
        await self._broker_first()
        await self._supervisor.start(service)
        return Subjects(registry_url(self._site))

    async def _flink(self) -> Jobs:
        site, spawner = self._site, self._supervisor.spawner
        python = await environments.make_environment(site, spawner, environments.flink_environment())
        with ExitStack() as opened:
            opened.enter_context(served(PushedMetrics(), site.ports.port(METRICS)))
            cluster = flink_cluster(site, environments.pyflink_home(python), site.address(METRICS))
            async with asyncio.TaskGroup() as group:
                planner = group.create_task(self._planner(cluster))
                group.create_task(self._cluster(cluster))
            self._open.push(opened.pop_all())
        return Jobs(site, self._records, planner.result(), cluster)

    async def _planner(self, cluster: FlinkCluster) -> Planner:
        """Starts at once, beside the broker: when the cluster is there, the first plan must not wait for classes."""
        runner = await make_runner(self._site, self._supervisor.spawner)
        self.planner = planner = Planner(self._site, self._supervisor.spawner, runner, cluster.environ)
        await planner.start()
        for document in self._first_jobs:
            # What is wrong with a job is told when it is its turn; this is for the classes that its plan takes.
            await planner.check(document)
        return planner

    async def _cluster(self, cluster: FlinkCluster) -> None:
        await self._broker_first()
        # The task manager waits for the job manager by itself, so both may start at once.
        await asyncio.gather(self._supervisor.start(cluster.job_manager), self._supervisor.start(cluster.task_manager))

    async def _stand_in(self) -> None:
        if self._real_snowflake:
            return
        site, spawner = self._site, self._supervisor.spawner
        python = await environments.make_environment(site, spawner, environments.stand_in_environment())
        await self._broker_first()
        await self._supervisor.start(stand_in(site, python))


async def set_up(site: Site, supervisor: Supervisor) -> None:
    """Fetches and builds everything that any pipeline may need; starts nothing."""
    spawner = supervisor.spawner

    async def runner() -> Runner:
        return await make_runner(site, spawner)

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(kafka(site, spawner))
            group.create_task(apicurio(site))
            group.create_task(runner())
            group.create_task(environments.make_environment(site, spawner, environments.stand_in_environment()))
    except ExceptionGroup as errors:
        raise first_cause(errors) from errors


def first_cause(error: Exception) -> Exception:
    """The first of the errors that happened at the same time: one is enough to act on."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
