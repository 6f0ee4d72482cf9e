"""Runs steps in the order that they name: each as soon as what it waits for is done, at the same time where it can.

A step that fails leaves what runs running; the steps that wait for it are not begun.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from headrace.core.diff import Action, Step
from headrace.local.errors import PartError


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a step; `error` None: done."""

    step: Step
    error: PartError | None = None


async def roll_out(
    steps: Sequence[Step],
    apply: Callable[[Step], Awaitable[None]],
    tell: Callable[[Outcome], None],
) -> list[Outcome]:
    """Applies every step that may be applied; the outcomes in the order of the steps. Never raises a step's error."""
    work = [step for step in steps if step.action is not Action.RETAIN]
    done: dict[str, asyncio.Task[Outcome]] = {}

    async def one(step: Step) -> Outcome:
        before = [await done[name] for name in step.after if name in done]
        failed = next((outcome.step.id for outcome in before if outcome.error), None)
        if failed is not None:
            error: PartError | None = PartError(f"{step.id} waits for {failed}")
        elif step.blocked:
            error = PartError(f"{step.id}: {step.blocked}", "change the manifest, or what is there")
        else:
            error = None
            try:
                await apply(step)
            except PartError as raised:
                error = raised
            except OSError as raised:
                error = PartError(f"{step.id}: {raised}", "it is tried again")
        outcome = Outcome(step, error)
        tell(outcome)
        return outcome

    async with asyncio.TaskGroup() as group:
        # The order is a partial one without cycles; a task that starts early waits for those created after it.
        ready = asyncio.Event()

        async def when_all_exist(step: Step) -> Outcome:
            await ready.wait()
            return await one(step)

        for step in work:
            done[step.id] = group.create_task(when_all_exist(step), name=step.id)
        ready.set()
    return [done[step.id].result() for step in work]
