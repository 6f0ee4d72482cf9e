"""Jobs on a cluster: what is kept of one that leaves, how many fit, and what a planner that fails is told as."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from headrace.core.diff import Action, Step
from headrace.core.documents import JobDocument
from headrace.core.plan import FlinkJob
from headrace.local.announce import LineAnnouncer
from headrace.local.errors import PartError
from headrace.local.flink_rest import FlinkRest, RunningJob
from headrace.local.jobs import Jobs
from headrace.local.planner import Planner
from headrace.local.ports import Ports
from headrace.local.services.flink import FlinkCluster
from headrace.local.site import Site
from headrace.local.slots import Slots
from headrace.local.state import JobRecord, Records

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(30)]


class OneJob:
    """Flink with one job, which stops with a savepoint."""

    async def jobs(self) -> list[RunningJob]:
        return [RunningJob("f1", "shop.totals", "RUNNING")]

    async def stop_with_savepoint(self, job: str, folder: str) -> str:
        return f"{folder}/savepoint-{job}"


class PaperPlanner:
    """A planner that gives one answer, or dies."""

    def __init__(self, answer: dict[str, Any] | None) -> None:
        self.answer = answer
        self.submitted: list[str | None] = []

    async def check(self, document: JobDocument) -> dict[str, Any]:
        return self._told()

    async def submit(self, document: JobDocument, rest: str, state: str | None) -> dict[str, Any]:
        self.submitted.append(state)
        return self._told()

    def _told(self) -> dict[str, Any]:
        if self.answer is None:
            raise OSError("Flink's planner died")
        return self.answer


def jobs_with(tmp_path: Path, answer: dict[str, Any] | None) -> Jobs:
    site = Site(tmp_path, tmp_path, Ports(tmp_path / "ports.json"), LineAnnouncer(print))
    cluster = cast("FlinkCluster", type("Cluster", (), {"rest": "http://127.0.0.1:1", "environ": {}})())
    made = Jobs(site, Records(), cast("Planner", PaperPlanner(answer)), cluster)
    made._rest = cast("FlinkRest", OneJob())
    return made


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return jobs_with(tmp_path, None)


DOCUMENT = JobDocument(name="shop.totals", parallelism=1, config={}, statements=(), inserts=("INSERT",))


async def test_a_job_that_leaves_keeps_the_record_of_its_savepoint(jobs: Jobs, tmp_path: Path) -> None:
    jobs._records.jobs["shop.totals"] = JobRecord(owner="shop", digest="d", flink_id="f1")
    await jobs.apply(Step(Action.DELETE, "job/shop.totals"), "shop")
    kept = Records.read(tmp_path).jobs["shop.totals"]
    assert kept.flink_id is None
    assert kept.savepoint is not None
    assert kept.savepoint.endswith("shop.totals/savepoint-f1")
    assert await jobs.observe() == {}


class StuckJob(OneJob):
    """Flink that takes a job and ends it before it runs."""

    cancelled: tuple[str, ...] = ()

    async def jobs(self) -> list[RunningJob]:
        return []

    async def state(self, job: str) -> str:
        return "FAILED"

    async def failure(self, job: str) -> str:
        return "no slots"

    async def cancel(self, job: str) -> None:
        self.cancelled += (job,)


async def test_a_job_that_does_not_come_to_run_is_ended_before_another_version_starts(tmp_path: Path) -> None:
    jobs = jobs_with(tmp_path, {"jobId": "f2"})
    flink = StuckJob()
    jobs._rest = cast("FlinkRest", flink)
    with pytest.raises(PartError, match="no slots"):
        await jobs._run(DOCUMENT, "shop")
    assert flink.cancelled == ("f2",)
    assert "shop.totals" not in jobs._records.jobs


async def test_a_planner_that_dies_is_an_error_that_passes(jobs: Jobs) -> None:
    with pytest.raises(OSError, match="planner died"):
        await jobs._submit(DOCUMENT, None)


async def test_a_changed_job_that_flink_refuses_is_told_before_the_running_one_is_stopped(tmp_path: Path) -> None:
    answer = {"columns": [{"name": "a", "sql": "INT"}], "output": [], "missing": ["total"], "unfit": []}
    jobs = jobs_with(tmp_path, answer)
    step = Step(Action.CHANGE, "job/shop.totals", FlinkJob("shop.totals", DOCUMENT, (), ()))
    with pytest.raises(PartError, match="its SELECT gives no column 'total'"):
        await jobs.apply(step, "shop")
    assert "shop.totals" not in jobs._records.jobs  # nothing was stopped, so no savepoint was recorded


async def test_a_state_that_cannot_be_taken_over_is_said_with_what_to_do(tmp_path: Path) -> None:
    refusal = "Failed to rollback to checkpoint/savepoint file:/s. If you want to allow to skip this, set a flag."
    jobs = jobs_with(tmp_path, {"error": {"message": refusal}})
    with pytest.raises(PartError) as caught:
        await jobs._submit(DOCUMENT, "file:///s")
    assert "cannot take over the state of its last version" in str(caught.value)
    assert "give the changed job a new name" in str(caught.value)
    assert "flag" not in str(caught.value)


def test_a_job_for_which_too_few_slots_are_free_is_refused_with_who_has_them() -> None:
    slots = Slots(16)
    slots.take("shop.totals", 10)
    slots.take("shop.totals", 12)  # a changed job gives its old slots back
    with pytest.raises(PartError) as caught:
        slots.take("shop.late", 5)
    assert "needs 5 slots, and 4 of the local Flink cluster's 16 are free; taken by shop.totals (12)" in str(
        caught.value
    )
    slots.free("shop.totals")
    slots.take("shop.late", 16)
