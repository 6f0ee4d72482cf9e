"""Steps run in the order that they name, at the same time where they may; a failure stops only what waits for it."""

from __future__ import annotations

import asyncio

import pytest

from headrace.core.diff import Action, Step
from headrace.local.errors import PartError
from headrace.local.rollout import Outcome, roll_out

pytestmark = pytest.mark.anyio


def create(name: str, *after: str, blocked: str = "") -> Step:
    return Step(Action.CREATE, name, blocked=blocked, after=frozenset(after))


async def run(steps: list[Step], failing: frozenset[str] = frozenset()) -> tuple[list[str], list[Outcome]]:
    applied: list[str] = []

    async def apply(step: Step) -> None:
        await asyncio.sleep(0)
        if step.id in failing:
            raise PartError(f"{step.id} is broken")
        applied.append(step.id)

    outcomes = await roll_out(steps, apply, lambda _: None)
    return applied, outcomes


async def test_a_step_waits_for_the_steps_it_names_wherever_they_stand_in_the_list() -> None:
    applied, _ = await run([create("gateway/a", "topic/a"), create("topic/a")])
    assert applied == ["topic/a", "gateway/a"]


async def test_steps_that_wait_for_nothing_run_at_the_same_time() -> None:
    together = asyncio.Barrier(2)

    async def apply(_: Step) -> None:
        await asyncio.wait_for(together.wait(), 10)

    outcomes = await roll_out([create("topic/a"), create("topic/b")], apply, lambda _: None)
    assert [outcome.error for outcome in outcomes] == [None, None]


async def test_what_waits_for_a_failed_step_is_not_begun_and_the_rest_is() -> None:
    steps = [create("subject/a"), create("job/a", "subject/a"), create("gateway/a", "job/a"), create("topic/b")]
    applied, outcomes = await run(steps, frozenset({"subject/a"}))
    assert applied == ["topic/b"]
    assert [str(outcome.error) for outcome in outcomes] == [
        "subject/a is broken",
        "job/a waits for subject/a",
        "gateway/a waits for job/a",
        "None",
    ]


async def test_a_blocked_step_is_refused_with_its_reason() -> None:
    applied, [outcome] = await run([create("topic/a", blocked="it belongs to pipeline 'other'")])
    assert applied == []
    assert "it belongs to pipeline 'other'" in str(outcome.error)


async def test_what_may_pass_is_an_outcome_and_not_a_crash() -> None:
    async def apply(_: Step) -> None:
        raise OSError("the broker does not answer")

    [outcome] = await roll_out([create("topic/a")], apply, lambda _: None)
    assert "the broker does not answer" in str(outcome.error)


async def test_what_is_retained_is_no_work() -> None:
    applied, outcomes = await run([Step(Action.RETAIN, "topic/a")])
    assert (applied, outcomes) == ([], [])
