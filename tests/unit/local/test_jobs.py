"""Jobs on a cluster: what is kept of one that leaves, how many fit, and what a planner that fails is told as."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from headrace.core.diff import Action, Step
from headrace.local.announce import LineAnnouncer
from headrace.local.errors import PartError
from headrace.local.flink_rest import FlinkRest, RunningJob
from headrace.local.jobs import Jobs
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


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    site = Site(tmp_path, tmp_path, Ports(tmp_path / "ports.json"), LineAnnouncer(print))
    nothing = cast("Any", None)
    cluster = cast("FlinkCluster", type("Cluster", (), {"rest": "http://127.0.0.1:1", "environ": {}})())
    made = Jobs(site, nothing, Records(), nothing, cluster)
    made._rest = cast("FlinkRest", OneJob())
    return made


async def test_a_job_that_leaves_keeps_the_record_of_its_savepoint(jobs: Jobs, tmp_path: Path) -> None:
    jobs._records.jobs["shop.totals"] = JobRecord(owner="shop", digest="d", flink_id="f1")
    await jobs.apply(Step(Action.DELETE, "job/shop.totals"), "shop")
    kept = Records.read(tmp_path).jobs["shop.totals"]
    assert kept.flink_id is None
    assert kept.savepoint is not None
    assert kept.savepoint.endswith("shop.totals/savepoint-f1")
    assert await jobs.observe() == {}


async def test_a_planner_that_cannot_start_is_an_error_of_every_job_of_its_batch(
    jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(documents: list[Path]) -> str:
        raise OSError(f"no process for {len(documents)}")

    monkeypatch.setattr(jobs, "_run_planner", failing)
    told = await asyncio.gather(*(jobs._submit(name, tmp_path) for name in ("a", "b")), return_exceptions=True)
    assert [(type(error), str(error)) for error in told] == [(OSError, "no process for 2")] * 2


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
