"""A part that cannot be had ends a run that is just starting, and only the steps that wait for it in one that runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from headrace.core.plan import Plan
from headrace.local.announce import LineAnnouncer
from headrace.local.errors import PartError
from headrace.local.parts_on_demand import PartsOnDemand
from headrace.local.ports import Ports
from headrace.local.processes.supervisor import Supervisor
from headrace.local.site import Site
from headrace.local.state import Records

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(30)]


class WithJobs:
    """As much of a plan as is looked at here."""

    jobs, loaders = (SimpleNamespace(document=None),), ()


PLAN = cast("Plan", WithJobs())


class Stopped:
    """Stands for the supervisor; notes what it is asked to stop."""

    spawner = None

    def __init__(self) -> None:
        self.names: list[str] = []

    async def stop(self, name: str) -> None:
        self.names.append(name)


class Without(PartsOnDemand):
    """Parts that are there at once, but for Flink as long as there is no network."""

    network = False

    async def _broker(self) -> Any:
        return "topics"

    async def _registry(self) -> Any:
        return "subjects"

    async def _flink(self) -> Any:
        if not self.network:
            raise ExceptionGroup("together", [PartError("no network")])
        return "jobs"


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Without]:
    site = Site(tmp_path, tmp_path, Ports(tmp_path / "ports.json"), LineAnnouncer(print))
    without = Without(site, cast("Supervisor", Stopped()), Records())
    yield without
    await without.close()


async def test_a_part_that_cannot_be_had_ends_a_run_that_is_starting(parts: Without) -> None:
    parts.need([PLAN])
    with pytest.raises(PartError, match="no network"):
        await parts.failed


async def test_in_a_run_that_is_settled_it_fails_those_who_wait_and_the_next_need_tries_again(parts: Without) -> None:
    parts.settled = True
    parts.need([PLAN])
    for _ in range(2):
        with pytest.raises(PartError, match="no network"):
            await parts.parts.jobs
    assert await parts.parts.topics == cast("Any", "topics")
    assert not parts.parts.is_ready("jobs")
    assert not parts.failed.done()
    parts.network = True
    parts.need([PLAN])
    assert await parts.parts.jobs == cast("Any", "jobs")
    assert parts.parts.is_ready("jobs")


async def test_what_a_failed_part_had_started_is_stopped(parts: Without) -> None:
    parts.settled = True
    parts.need([PLAN])
    with pytest.raises(PartError):
        await parts.parts.jobs
    assert cast("Stopped", parts._supervisor).names == ["flink-jobmanager", "flink-taskmanager"]
