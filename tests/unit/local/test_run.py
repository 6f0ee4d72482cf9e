"""The loop that keeps what runs: what fails is tried again with backoff, but never at the cost of what runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from headrace.core.diff import Action, Step
from headrace.local.announce import LineAnnouncer
from headrace.local.backend import Backend
from headrace.local.errors import PartError
from headrace.local.ports import Ports
from headrace.local.rollout import Outcome
from headrace.local.run import FIRST_RETRY, LocalRun
from headrace.local.site import Site
from headrace.local.state import Records

pytestmark = pytest.mark.anyio


@dataclass
class FailingBackend:
    """Fails every step with `error` and counts the tries."""

    error: Exception | None
    tried: list[str] = field(default_factory=list)

    async def apply(self, step: Step, owner: str) -> None:
        self.tried.append(step.id)
        if self.error is not None:
            raise self.error


@dataclass
class Bench:
    run: LocalRun
    backend: FailingBackend
    said: list[str]
    now: list[float]

    async def try_once(self, step: Step) -> None:
        try:
            await self.run._apply(step, "shop")
        except PartError as error:
            self.run.tell(Outcome(step, error))
        else:
            self.run.tell(Outcome(step))


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    said: list[str] = []
    now = [100.0]
    backend = FailingBackend(PartError("it is broken", "mend it"))
    site = Site(tmp_path, tmp_path, Ports(tmp_path / "ports.json"), LineAnnouncer(said.append))
    nothing = cast("Any", None)
    run = LocalRun(site, nothing, Records(), nothing, cast("Backend", backend), clock=lambda: now[0])
    yield Bench(run, backend, said, now)


async def test_a_failure_is_said_once_and_tried_again_later_and_later(bench: Bench) -> None:
    step = Step(Action.CREATE, "topic/a")
    for _ in range(3):
        await bench.try_once(step)
    assert len(bench.backend.tried) == 1
    bench.now[0] += FIRST_RETRY
    await bench.try_once(step)
    bench.now[0] += FIRST_RETRY
    await bench.try_once(step)
    assert len(bench.backend.tried) == 2, "the second pause is longer than the first"
    assert bench.said == ["not done: it is broken\n  → mend it"]


async def test_another_step_for_the_same_thing_is_tried_at_once(bench: Bench) -> None:
    await bench.try_once(Step(Action.CREATE, "topic/a"))
    await bench.try_once(Step(Action.DELETE, "topic/a"))
    assert len(bench.backend.tried) == 2


async def test_a_step_is_the_same_whatever_it_waits_for(bench: Bench) -> None:
    await bench.try_once(Step(Action.CHANGE, "job/a", after=frozenset({"topic/a"})))
    await bench.try_once(Step(Action.CHANGE, "job/a"))
    assert len(bench.backend.tried) == 1


async def test_a_changed_job_that_failed_is_not_stopped_again_and_again(bench: Bench) -> None:
    step = Step(Action.CHANGE, "job/a")
    await bench.try_once(step)
    bench.now[0] += 1e9
    await bench.try_once(step)
    assert len(bench.backend.tried) == 1


async def test_what_may_pass_is_tried_again_for_a_job_too(bench: Bench) -> None:
    bench.backend.error = OSError("the job manager is away")
    step = Step(Action.CHANGE, "job/a")
    await bench.try_once(step)
    bench.now[0] += FIRST_RETRY
    bench.backend.error = None
    await bench.try_once(step)
    assert bench.said[-1] == "job/a runs changed"
    assert bench.run.refused == {}
