"""The local backend: observes what is there, applies the core's steps to it. Same plan, same steps as on Kubernetes.

`observe() → Observed` and `apply(step)` are the whole interface; rollout.py runs the steps in their order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from headrace.core.diff import Action, Observed, ObservedRun, ObservedSubject, Step
from headrace.core.plan import Gateway, KafkaTopic, Loader, Subject
from headrace.local.jobs import Jobs
from headrace.local.processes.supervisor import Supervisor
from headrace.local.services.gateway import gateway_service
from headrace.local.services.gateway import service_name as gateway_name
from headrace.local.services.loader import loader_service
from headrace.local.services.loader import service_name as loader_name
from headrace.local.site import Site
from headrace.local.state import Records, SubjectRecord, TopicRecord, write_whole
from headrace.local.subjects import Subjects
from headrace.local.topics import Topics


class Parts:
    """Futures of the shared parts: each is done when the part is ready for its first use, or failed."""

    def __init__(
        self,
        topics: asyncio.Future[Topics],
        subjects: asyncio.Future[Subjects],
        jobs: asyncio.Future[Jobs],
        warehouse: asyncio.Future[None],
    ) -> None:
        self.futures: dict[str, asyncio.Future[Any]] = {
            "topics": topics,
            "subjects": subjects,
            "jobs": jobs,
            "warehouse": warehouse,
        }

    @property
    def topics(self) -> Awaitable[Topics]:
        return self._waiting("topics")

    @property
    def subjects(self) -> Awaitable[Subjects]:
        return self._waiting("subjects")

    @property
    def jobs(self) -> Awaitable[Jobs]:
        return self._waiting("jobs")

    @property
    def warehouse(self) -> Awaitable[None]:
        return self._waiting("warehouse")

    def _waiting(self, part: str) -> Awaitable[Any]:
        # A step that is cancelled must not cancel the future that others wait for.
        return asyncio.shield(self.futures[part])

    def is_ready(self, part: str) -> bool:
        future = self.futures[part]
        return future.done() and not future.cancelled() and future.exception() is None

    def renew(self, part: str) -> None:
        """A part that failed is tried again: those that wait from now on wait for the new try."""
        self.futures[part] = asyncio.get_running_loop().create_future()


@dataclass
class Backend:
    site: Site
    supervisor: Supervisor
    records: Records
    parts: Parts
    runs: dict[str, ObservedRun] = field(default_factory=dict)  # gateways and loaders by step id

    async def observe(self) -> Observed:
        """What is there now. Waits for the broker. Raises OSError when a part that is needed does not answer."""
        topics = await (await self.parts.topics).observe(self.records.topics)
        return Observed(
            topics,
            await self._subjects(),
            await (await self.parts.jobs).observe() if self._ready("jobs") else {},
            self._run_of_kind("loader/"),
            self._run_of_kind("gateway/"),
        )

    def _ready(self, part: str) -> bool:
        return self.parts.is_ready(part)

    async def _subjects(self) -> Mapping[str, ObservedSubject]:
        if self._ready("subjects"):
            return await (await self.parts.subjects).observe(self.records.subjects)
        # While the registry starts, what was last registered decides whether a schema changed, and so gates the rest.
        return {
            name: ObservedSubject(record.definition, record.compatibility, record.owner)
            for name, record in self.records.subjects.items()
        }

    async def gate(self, steps: Sequence[Step]) -> tuple[Step, ...]:
        """The steps as a plan shows them: those that the registry would refuse say so. Raises OSError."""
        if not self._ready("subjects"):
            return tuple(steps)
        subjects = await self.parts.subjects
        return tuple([await subjects.gate(step) for step in steps])

    def _run_of_kind(self, kind: str) -> dict[str, ObservedRun]:
        return {step.removeprefix(kind): run for step, run in self.runs.items() if step.startswith(kind)}

    async def apply(self, step: Step, owner: str) -> None:
        """Does one step; `owner` is the pipeline's name. Raises PartError, or OSError for what may pass."""
        match step.id.split("/", 1)[0]:
            case "topic":
                await self._apply_topic(step, owner)
            case "subject":
                await self._apply_subject(step, owner)
            case "job":
                jobs = await self.parts.jobs
                await jobs.apply(step, owner)
            case _:
                await self._apply_run(step, owner)

    async def _apply_topic(self, step: Step, owner: str) -> None:
        name = step.id.removeprefix("topic/")
        if isinstance(step.resource, KafkaTopic) and step.action is Action.CREATE:
            # Recorded first: a topic that exists without its record would look like someone else's.
            self.records.topics[name] = TopicRecord(owner=owner, deletion_policy=step.resource.deletion_policy)
            self.records.save(self.site.state)
        await (await self.parts.topics).apply(step)
        if isinstance(step.resource, KafkaTopic):
            self.records.topics[name] = TopicRecord(owner=owner, deletion_policy=step.resource.deletion_policy)
        else:
            self.records.topics.pop(name, None)
        self.records.save(self.site.state)

    async def _apply_subject(self, step: Step, owner: str) -> None:
        await (await self.parts.subjects).apply(step)
        if isinstance(step.resource, Subject):
            self.records.subjects[step.resource.name] = SubjectRecord(
                owner=owner, definition=step.resource.definition, compatibility=step.resource.compatibility
            )
            self.records.save(self.site.state)

    async def _apply_run(self, step: Step, owner: str) -> None:
        """A gateway or a loader: stopped if it runs, started with its new document."""
        kind, name = step.id.split("/", 1)
        service_name = gateway_name(name) if kind == "gateway" else loader_name(name)
        resource = step.resource
        if isinstance(resource, Loader):
            await self.parts.warehouse
        await self.supervisor.stop(service_name)
        self.runs.pop(step.id, None)
        if not isinstance(resource, Gateway | Loader):
            return
        file = self.site.state / "documents" / f"{service_name}.json"
        await asyncio.to_thread(write_whole, file, resource.document.to_json())
        make = gateway_service if isinstance(resource, Gateway) else loader_service
        # Known before it is ready, so that a second look does not start it again.
        self.runs[step.id] = ObservedRun(resource.document.digest, owner)
        try:
            await self.supervisor.start(make(self.site, name, file))
        except BaseException:
            self.runs.pop(step.id, None)
            await self.supervisor.stop(service_name)
            raise
