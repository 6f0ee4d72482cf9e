"""Jobs on the local Flink cluster: observed by name, submitted, replaced with their state, cancelled.

A job is recognised by its Flink id in the records; the record's digest is the document that it runs. A job that the
cluster lost (its job manager died) is submitted again from the newest complete checkpoint.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from pathlib import Path

from headrace.core.diff import Action, ObservedRun, Step
from headrace.core.documents import JobDocument
from headrace.core.plan import FlinkJob
from headrace.local.checkpoints import newest_state, path_of
from headrace.local.errors import PartError
from headrace.local.flink_rest import POLL, FlinkRest
from headrace.local.flink_words import complaints_of
from headrace.local.planner import Planner
from headrace.local.services.flink import SLOTS, FlinkCluster
from headrace.local.site import Site
from headrace.local.slots import Slots
from headrace.local.state import JobRecord, Records, write_whole

START_SECONDS = 120.0
CORRECT = "correct the job's sql"
KEPT_RUNS = 2  # checkpoints of so many earlier runs of a job are kept


class Jobs:
    def __init__(self, site: Site, records: Records, planner: Planner, cluster: FlinkCluster) -> None:
        self._site, self._records, self._planner = site, records, planner
        self._address = cluster.rest.removeprefix("http://")
        self._rest = FlinkRest(cluster.rest)
        self._slots = Slots(SLOTS)

    async def observe(self) -> dict[str, ObservedRun]:
        """The jobs that run. Raises OSError when the job manager does not answer."""
        running = {}
        for job in await self._rest.jobs():
            record = self._records.jobs.get(job.name)
            if record is not None and record.flink_id == job.id:
                running[job.name] = ObservedRun(record.digest, record.owner)
        return running

    async def apply(self, step: Step, owner: str) -> None:
        """Raises PartError when the job cannot be as the step wants; what ran before then runs again."""
        name = step.id.removeprefix("job/")
        if step.action is Action.DELETE:
            await self._stop(name)
            self._slots.free(name)
            if (record := self._records.jobs.get(name)) is not None:
                # The record stays: it names the savepoint. A job that is put back goes on from there; from the start,
                # or from an older checkpoint, its results would come twice.
                record.flink_id = None
                self._records.save(self._site.state)
            return
        if not isinstance(step.resource, FlinkJob):
            raise TypeError(step)
        if step.action is Action.CREATE and name in await self.observe():
            return  # it was only out of sight while the job manager did not answer
        before = self._document_file(name).read_text() if self._document_file(name).exists() else None
        document = step.resource.document
        if step.action is Action.CHANGE:
            await self._check(document)  # before anything is stopped: a mistake in the SQL must not cost an outage
        self._slots.take(name, document.parallelism)
        stopped = await self._stop(name)
        try:
            await self._run(document, owner)
        except PartError:
            self._slots.free(name)
            if stopped and before is not None:
                previous = JobDocument.from_json(before)
                self._site.announcer.say(f"job {name}: the old version goes on from where it was stopped")
                self._slots.take(name, previous.parallelism)
                await self._run(previous, owner)
                # The record says what runs; the next look finds the difference again and tells it.
            raise
        except OSError:  # whatever was submitted is not recorded: the next try ends it
            self._slots.free(name)
            raise

    async def _stop(self, name: str) -> bool:
        """Ends every job of that name, keeping its state; False when none ran."""
        record = self._records.jobs.get(name)
        running = [job for job in await self._rest.jobs() if job.name == name]
        for job in running:
            if record is None or job.id != record.flink_id:
                await self._rest.cancel(job.id)  # a submission that was cut off before it was recorded
                continue
            folder = (self._site.state / "flink" / "savepoints" / name).as_uri()
            try:
                record.savepoint = await self._rest.stop_with_savepoint(job.id, folder)
            except (PartError, OSError) as error:
                # A job that is restarting takes no savepoint; its newest checkpoint holds the same promise.
                self._site.announcer.say(f"job {name}: {error}; going on from its newest checkpoint")
                await self._rest.cancel(job.id)
            self._records.save(self._site.state)
        return bool(running)

    async def _check(self, document: JobDocument) -> None:
        """Lets Flink plan the job without running it. Raises PartError with what Flink refuses."""
        if complaints := complaints_of(await self._planner.check(document)):
            raise PartError(f"Flink refuses job {document.name}: {'; '.join(map(str, complaints))}", CORRECT)

    def _document_file(self, name: str) -> Path:
        return self._site.state / "documents" / f"job-{name}.json"

    async def _run(self, document: JobDocument, owner: str) -> None:
        """Submits the job from its newest state and waits until it runs."""
        name = document.name
        record = self._records.jobs.get(name) or JobRecord(owner=owner, digest="")
        checkpoints = self._site.state / "flink" / "checkpoints" / name
        savepoints = self._site.state / "flink" / "savepoints" / name
        state = await asyncio.to_thread(newest_state, checkpoints, savepoints, record.savepoint)
        job = await self._submit(document, state)
        try:
            await self._until_running(name, job)
        except PartError:
            # Else it would run beside the version that goes on, as soon as there is room for both.
            with contextlib.suppress(PartError, OSError):
                await self._rest.cancel(job)
            raise
        await asyncio.to_thread(write_whole, self._document_file(name), document.to_json())
        record.owner, record.digest, record.flink_id = owner, document.digest, job
        self._records.jobs[name] = record
        self._records.save(self._site.state)
        await asyncio.to_thread(self._forget_old_runs, checkpoints, job, state)

    async def _submit(self, document: JobDocument, state: str | None) -> str:
        """The Flink id of the submitted job. Raises PartError with what Flink refuses."""
        answer = await self._planner.submit(document, self._address, state)
        if "jobId" in answer:
            return str(answer["jobId"])
        if is_about_state(answer["error"]["message"]):
            raise _cannot_take_over(document.name, answer["error"]["message"])
        told = "; ".join(map(str, complaints_of(answer)))
        raise PartError(f"Flink refuses job {document.name}: {told}", CORRECT)

    async def _until_running(self, name: str, job: str) -> None:
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while (now := await self._rest.state(job)) != "RUNNING":
            if now in ("FAILED", "CANCELED", "FINISHED", "SUSPENDED"):
                why = await self._rest.failure(job)
                if is_about_state(why):
                    raise _cannot_take_over(name, why)
                raise PartError(f"job {name} {now.lower()}: {why}", "see `headrace logs flink-jobmanager`")
            if asyncio.get_running_loop().time() > deadline:
                raise PartError(
                    f"job {name} is still {now.lower()} after {START_SECONDS:.0f} s",
                    "see `headrace logs flink-jobmanager flink-taskmanager`",
                )
            await asyncio.sleep(POLL)

    @staticmethod
    def _forget_old_runs(checkpoints: Path, job: str, resumed: str | None) -> None:
        """Removes the checkpoints of earlier runs but the last, and never those that this run resumed from."""
        resumed_folder = path_of(resumed).parent if resumed else None
        runs = sorted(
            (run for run in checkpoints.iterdir() if run.is_dir() and run.name != job and run != resumed_folder),
            key=lambda run: run.stat().st_mtime_ns,
            reverse=True,
        ) if checkpoints.is_dir() else []  # fmt: skip
        for run in runs[KEPT_RUNS:]:
            shutil.rmtree(run, ignore_errors=True)


def is_about_state(message: str) -> bool:
    """True when Flink says that a job does not fit the state it was to resume from."""
    return "checkpoint/savepoint" in message or "StateMigrationException" in message


def _cannot_take_over(name: str, why: str) -> PartError:
    # Flink goes on about a flag of its own command line, which drops the state: nothing to recommend here.
    short = why.split(" If you want to allow", 1)[0]
    return PartError(
        f"job {name} cannot take over the state of its last version: {short}",
        "give the changed job a new name: it then starts from the beginning of its topics",
    )
