"""One `headrace up`: the parts, the pipelines on them, and a loop that keeps what runs as the manifests say.

Level-triggered: every round observes, takes the difference and applies it, so that whatever died, was lost or was
handed over meanwhile is put right by the same few lines.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from headrace.core.diff import Action, Observed, Step, diff
from headrace.core.pipeline import Pipeline
from headrace.core.plan import Plan, plan
from headrace.local.backend import Backend
from headrace.local.errors import PartError
from headrace.local.keys import make_keys
from headrace.local.parts_on_demand import PartsOnDemand
from headrace.local.platform import local_platform
from headrace.local.processes.supervisor import Supervisor
from headrace.local.rollout import Outcome, roll_out
from headrace.local.site import Site
from headrace.local.state import Records

ROUND_SECONDS = 2.0
FIRST_RETRY, LAST_RETRY = 5.0, 60.0
DONE = {Action.CREATE: "created", Action.CHANGE: "changed", Action.DELETE: "removed", Action.RETAIN: "retained"}
STARTED = {Action.CREATE: "runs", Action.CHANGE: "runs changed", Action.DELETE: "stopped"}


@dataclass
class _Refusal:
    """A step that failed: not tried again before `until`, unless it is another step by then."""

    step: Step
    error: PartError
    until: float
    pause: float


@dataclass
class LocalRun:
    """Make it with `open_run`."""

    site: Site
    supervisor: Supervisor
    records: Records
    on_demand: PartsOnDemand
    backend: Backend
    real_snowflake: bool = False
    clock: Callable[[], float] = time.monotonic
    pipelines: dict[str, Pipeline] = field(default_factory=dict)
    refused: dict[str, _Refusal] = field(default_factory=dict)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)
    _told: dict[str, str] = field(default_factory=dict)

    def plan_of(self, pipeline: Pipeline) -> Plan:
        return plan(pipeline, local_platform(self.site, self.real_snowflake))

    def steps(self, pipeline: Pipeline, observed: Observed) -> tuple[Step, ...]:
        return diff(self.plan_of(pipeline), observed)

    async def apply(self, pipelines: Sequence[Pipeline], tell: Callable[[Outcome], None]) -> list[Outcome]:
        """Takes these pipelines in (replacing those of the same name) and does what they need."""
        async with self._one_at_a_time:
            for pipeline in pipelines:
                self.pipelines[pipeline.name] = pipeline
            self.refused.clear()  # asked again is tried again
            self.records.pipelines = sorted({*self.records.pipelines, *self.pipelines})
            self.records.save(self.site.state)
            self.on_demand.need(self.plan_of(pipeline) for pipeline in self.pipelines.values())
            return await self._round([pipeline.name for pipeline in pipelines], tell)

    async def keep(self) -> None:
        """Rounds for ever: what died or was lost is put right. Ends by cancellation."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.wake.wait(), ROUND_SECONDS)
            self.wake.clear()
            try:
                async with self._one_at_a_time:
                    await self._round(list(self.pipelines), self.tell)
            except OSError:
                # A part is being started again; the supervisor said so, and the next round looks again.
                continue

    async def _round(self, names: Sequence[str], tell: Callable[[Outcome], None]) -> list[Outcome]:
        observed = await self.backend.observe()
        rollouts = [
            roll_out(
                self.steps(self.pipelines[name], observed),
                lambda step, owner=name: self._apply(step, owner),  # type: ignore[misc]
                tell,
            )
            for name in names
        ]
        return [outcome for outcomes in await asyncio.gather(*rollouts) for outcome in outcomes]

    async def _apply(self, step: Step, owner: str) -> None:
        known = self.refused.get(step.id)
        # What a step waits for is no part of it: that changes with what else is to be done in this round.
        same = known is not None and replace(known.step, after=frozenset()) == replace(step, after=frozenset())
        if known is not None and same and self.clock() < known.until:
            raise known.error
        try:
            await self.backend.apply(step, owner)
        except (PartError, OSError) as error:
            worded = error if isinstance(error, PartError) else PartError(f"{step.id}: {error}", "it is tried again")
            pause = min(LAST_RETRY, known.pause * 2) if known and same else FIRST_RETRY
            if step.id.startswith("job/") and step.action is Action.CHANGE and isinstance(error, PartError):
                # The old version runs again; each further try would stop it anew. `up` with the file tries again.
                pause = math.inf
            self.refused[step.id] = _Refusal(step, worded, self.clock() + pause, pause)
            raise worded from error
        self.refused.pop(step.id, None)

    def tell(self, outcome: Outcome) -> None:
        """Says what became of a step; the same failure is said once."""
        if outcome.error is None:
            self._told.pop(outcome.step.id, None)
            self.site.announcer.say(describe(outcome.step))
        elif self._told.get(outcome.step.id) != str(outcome.error):
            self._told[outcome.step.id] = str(outcome.error)
            self.site.announcer.say(f"not done: {outcome.error}")


def describe(step: Step) -> str:
    kind = step.id.split("/", 1)[0]
    words = STARTED if kind in ("job", "loader", "gateway") else DONE
    return f"{step.id} {words[step.action]}"


def open_run(site: Site, supervisor: Supervisor, real_snowflake: bool = False) -> LocalRun:
    """A run on a site whose lock the caller holds. Raises PartError for a damaged state folder."""
    make_keys(site.state)
    records = Records.read(site.state)
    on_demand = PartsOnDemand(site, supervisor, records, real_snowflake)
    backend = Backend(site, supervisor, records, on_demand.parts)
    return LocalRun(site, supervisor, records, on_demand, backend, real_snowflake)
