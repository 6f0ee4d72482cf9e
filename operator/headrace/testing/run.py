"""Runs a case: its own topics and jobs, stage after stage, and what came of it beside what was expected.

The jobs are those that `up` runs, by the same plan; only what makes a run end, and come out alike each time, is
different (contracts, "In a run of `headrace test`"; docs/adr/0012-a-resident-planner-and-tests-of-pipelines.md).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from headrace.core.diff import Action, Step
from headrace.core.documents import JobDocument, SchemaRef
from headrace.core.pipeline import Pipeline
from headrace.core.plan import Plan, plan
from headrace.local.errors import PartError
from headrace.local.flink_words import complaints_of
from headrace.testing.bus import Bus
from headrace.testing.cases import Case
from headrace.testing.compare import Difference, compare_letters, compare_rows
from headrace.testing.jobs import stages
from headrace.testing.records import Record, TopicRecords, UnencodableError, letter_of
from headrace.testing.world import World
from headrace_apps.records.registry import ConfluentRegistry

AT_ONCE = 4  # cases; the planner plans one job at a time, while others run
JOB_SECONDS = 120.0
POLL = 0.05
# A few rows need no files; and what fails once fails always, so a job that fails is not started again.
CONFIG = {"state.backend.type": "hashmap", "restart-strategy.type": "none"}
# Nothing is to be resumed: without checkpoints a job's end commits what it wrote.
LEFT_OUT = ("execution.checkpointing.", "state.backend.", "restart-strategy.")


@dataclass(frozen=True, slots=True)
class Result:
    """`error`: the case could not be run to its end, and why. Passed without differences and error."""

    case: Case
    seconds: float
    differences: tuple[Difference, ...] = ()
    error: str = ""

    @property
    def passed(self) -> bool:
        return not self.differences and not self.error


class JobFailedError(Exception):
    """A job was refused or failed; the text is for the person who wrote it."""


async def run_cases(
    world: World, pipeline: Pipeline, cases: Sequence[Case], tell: Callable[[Result], None], first: int = 0
) -> list[Result]:
    """In the order of the cases; `tell` hears of each when it is done. `first` numbers them, and so their topics."""
    bus = Bus(world.bootstrap)
    gate = asyncio.Semaphore(AT_ONCE)
    alone = isolated(pipeline)

    async def one(number: int, case: Case) -> Result:
        async with gate:
            started = time.monotonic()
            try:
                differences = await _Run(world, bus, alone, case, f"case{number}.").run()
                result = Result(case, time.monotonic() - started, tuple(differences))
            except (JobFailedError, UnencodableError) as error:
                result = Result(case, time.monotonic() - started, error=str(error))
        tell(result)
        return result

    return list(await asyncio.gather(*(one(number, case) for number, case in enumerate(cases, first))))


def isolated(pipeline: Pipeline) -> Pipeline:
    """Topics of others become the case's own, and every job runs once: one order of rows."""
    topics = tuple(replace(topic, external=None, partitions=1) for topic in pipeline.topics)
    return replace(pipeline, topics=topics, jobs=tuple(replace(job, parallelism=None) for job in pipeline.jobs))


@dataclass(frozen=True)
class _Run:
    world: World
    bus: Bus
    pipeline: Pipeline
    case: Case
    prefix: str

    async def run(self) -> list[Difference]:
        """Raises JobFailedError, UnencodableError, PartError."""
        planned = plan(self.pipeline, self.world.platform(self.prefix))
        names = {topic.name: topic.kafka_topic for topic in planned.gateway.document.topics}
        dead_letters = planned.gateway.document.dead_letter_topic
        jobs = [job for job in self.pipeline.jobs if job.name in self.case.jobs]
        used = {*self.case.given, *(topic for job in jobs for topic in (*job.inputs, job.output))}
        await asyncio.to_thread(self.bus.create, [*(names[topic] for topic in sorted(used)), dead_letters])
        records = await self._records(planned, used)
        given = {names[topic]: records[topic].records(events) for topic, events in self.case.given.items()}
        await asyncio.to_thread(self.bus.send, given)
        documents = {
            job.name: planned_job.document for job, planned_job in zip(self.pipeline.jobs, planned.jobs, strict=True)
        }
        for stage in stages(jobs):
            await asyncio.gather(*(self._finish(documents[job.name]) for job in stage))
        wanted = [names[topic] for topic in self.case.expect]
        found = await asyncio.to_thread(self.bus.read, [*wanted, dead_letters])
        return await asyncio.to_thread(self._differences, found, records, names, dead_letters)

    async def _records(self, planned: Plan, used: set[str]) -> dict[str, TopicRecords]:
        """Each used topic's reader and writer; schemas that bytes refer to by id are registered first."""
        schemas = {topic.name: topic.schema_ for topic in planned.gateway.document.topics}
        registry = ConfluentRegistry(self.world.registry_url) if self.world.registry else None
        ids: dict[str, int | None] = {}
        if self.world.registry is not None and registry is not None:
            subjects = {subject.name: subject for subject in planned.subjects}
            for topic in sorted(used):
                schema = schemas[topic]
                if schema is not None and schema.format != "JSON":
                    subject = subjects[schema.subject]
                    await self.world.registry.apply(Step(Action.CREATE, subject.id, subject))
                    ids[topic] = await asyncio.to_thread(_id_of, registry, schema)
        topics = {topic.name: topic for topic in self.pipeline.topics}
        return {name: TopicRecords(topics[name], schemas[name], registry, ids.get(name)) for name in used}

    async def _finish(self, document: JobDocument) -> None:
        """Runs one job to its end. Raises JobFailedError."""
        name = document.name.rsplit(".", 1)[1]
        kept = {key: value for key, value in document.config.items() if not key.startswith(LEFT_OUT)}
        runs = document.model_copy(update={"config": {**kept, **CONFIG}})
        answer = await self.world.planner.submit(runs, self.world.rest, None, ship=False)
        if complaints := complaints_of(answer):
            raise JobFailedError(f"Flink refuses job {name}: {'; '.join(map(str, complaints))}")
        job = str(answer["jobId"])
        deadline = asyncio.get_running_loop().time() + JOB_SECONDS
        while (state := await self.world.flink.state(job)) != "FINISHED":
            if state in ("FAILED", "CANCELED"):
                cause = (await self.world.flink.failure(job)).rsplit(" ← ", 1)[-1]
                raise JobFailedError(f"job {name} failed: {cause}")
            if asyncio.get_running_loop().time() > deadline:
                await self.world.flink.cancel(job)
                raise JobFailedError(f"job {name} did not come to its end within {JOB_SECONDS:.0f} s")
            await asyncio.sleep(POLL)

    def _differences(
        self,
        found: dict[str, list[Record]],
        records: dict[str, TopicRecords],
        names: dict[str, str],
        dead_letters: str,
    ) -> list[Difference]:
        differences = []
        for topic, expected in self.case.expect.items():
            rows = records[topic].rows(found[names[topic]])
            differences += compare_rows(topic, expected, rows, records[topic].topic.schema.columns)
        if self.case.letters is not None:
            by_kafka_name = {names[topic]: reader for topic, reader in records.items()}
            letters = [letter_of(record, by_kafka_name) for record in found[dead_letters]]
            differences += compare_letters(self.case.letters, letters)
        return differences


def _id_of(registry: ConfluentRegistry, schema: SchemaRef) -> int:
    found = registry.id_of(schema)
    if found is None:
        raise PartError(f"the fixtures' registry did not keep the schema {schema.subject}")
    return found
