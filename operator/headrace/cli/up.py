"""`headrace up`: runs in the foreground until it is told to stop; or hands its manifests to the one that runs."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from headrace.cli.manifests import load_texts
from headrace.cli.watch import watch
from headrace.core.pipeline import Pipeline
from headrace.core.text import render_plan, render_steps
from headrace.local.announce import Announcer, TerminalAnnouncer, announcer_for
from headrace.local.consumption import Consumption
from headrace.local.control import NOTHING_RUNS, Say, ask, serving
from headrace.local.errors import PartError
from headrace.local.parts_on_demand import set_up
from headrace.local.processes.spawn import Spawner
from headrace.local.processes.supervisor import State, Supervisor
from headrace.local.rollout import Outcome
from headrace.local.run import describe, open_run
from headrace.local.services.gateway import gateway_url
from headrace.local.site import Site, open_site
from headrace.local.state import StateLock
from headrace.local.status import status_of

HAND_OVER_SECONDS = 30.0
CTRL_C, TERMINATED = 130, 143


@dataclass(frozen=True)
class Wish:
    """What the user asked of `up`; `ports` by service name; `watched`: files that are applied anew when they change."""

    pipelines: Sequence[Pipeline]
    texts: dict[str, str]
    state: Path
    ports: dict[str, int]
    real_snowflake: bool
    watched: Sequence[Path] = ()


async def bring_up(wish: Wish) -> int:
    """The exit code, when everything has stopped (or, handed over, when the steps are applied)."""
    lock = StateLock(wish.state)
    if not lock.take():
        return await hand_over(wish) if not wish.watched else await keep_handing_over(wish)
    try:
        announcer = announcer_for(Console())
        site = open_site(wish.state, announcer, wish.ports)
        with Spawner() as spawner:
            supervisor = Supervisor(spawner, announcer)
            foreground = Foreground(wish, site, supervisor)
            try:
                return await foreground.run()
            finally:
                await supervisor.stop_all()
                foreground.local.on_demand.close_last()
    finally:
        lock.release()


async def hand_over(wish: Wish) -> int:
    """To the `up` that holds the state. It may still be starting, so its socket is waited for."""
    late = [f"the port of {name}" for name in wish.ports] + ["--real-snowflake"] * wish.real_snowflake
    if late:
        which = f"{' and '.join(late)} {'are' if len(late) > 1 else 'is'} ignored"
        why = f"a `headrace up` runs on {wish.state} already; `headrace down` stops it"
        typer.echo(f"{which}: {why}", err=True)
    deadline = time.monotonic() + HAND_OVER_SECONDS
    while True:
        try:
            answer = await ask(wish.state, {"do": "apply", "texts": wish.texts}, typer.echo)
        except NOTHING_RUNS as error:
            if time.monotonic() > deadline:
                raise PartError(
                    f"another `headrace up` holds {wish.state} but does not answer", "stop it, then run this again"
                ) from error
            await asyncio.sleep(0.2)
        except ConnectionError as error:
            raise PartError(
                f"the `headrace up` on {wish.state} ended while it took the manifests over", "run this again"
            ) from error
        else:
            return int(answer["code"])


async def keep_handing_over(wish: Wish) -> int:
    """`--watch` on what another `up` runs: until Ctrl-C, or until that one has ended."""
    code = await hand_over(wish)
    if code not in (0, 1):
        return code

    async def apply(texts: dict[str, str]) -> bool:
        answer = await ask(wish.state, {"do": "apply", "texts": texts}, typer.echo)
        return int(answer["code"]) == 0

    await watch(wish.watched, wish.texts, apply, typer.echo)
    return 0


async def set_up_parts(state: Path) -> int:
    """`--set-up-only`."""
    announcer = announcer_for(Console())
    site = open_site(state, announcer)
    consumption = Consumption()
    with Spawner() as spawner:
        supervisor = Supervisor(spawner, announcer)
        sampling = asyncio.create_task(consumption.sample())
        try:
            await set_up(site, supervisor)
        finally:
            sampling.cancel()
            await supervisor.stop_all()
    announcer.say(f"everything is set up in {site.cache}: {consumption.summary()}")
    return 0


class Foreground:
    """One `up` in the foreground: signals, the control socket, and what is printed when."""

    def __init__(self, wish: Wish, site: Site, supervisor: Supervisor) -> None:
        self.wish, self.site, self.supervisor = wish, site, supervisor
        self.announcer: Announcer = site.announcer
        self.local = open_run(site, supervisor, wish.real_snowflake)
        self.stop: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.consumption = Consumption()

    async def run(self) -> int:
        """The exit code, once something ended the run; the processes are still there."""
        if isinstance(self.announcer, TerminalAnnouncer):
            with self.announcer.showing(self._status_line):
                return await self._run()
        return await self._run()

    def _status_line(self) -> str:
        """One line: each part, and what is not as the manifests say."""
        parts = [
            name if running.state is State.READY else f"{name} {running.state}"
            for name, running in sorted(self.supervisor.running.items())
        ]
        failed = [f"{step} failed" for step in sorted(self.local.refused)]
        return "   ".join([*failed, *parts, "Ctrl-C stops"])

    async def _run(self) -> int:
        loop = asyncio.get_running_loop()
        for number, code in ((signal.SIGINT, CTRL_C), (signal.SIGTERM, TERMINATED), (signal.SIGHUP, TERMINATED)):
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, or a shell's background job, wants it ignored
                loop.add_signal_handler(number, self._asked_to_stop, code)
        sampling = asyncio.create_task(self.consumption.sample())
        work = asyncio.create_task(self._work())
        ends: set[asyncio.Future[Any]] = {work, self.stop, self.local.on_demand.failed, self.supervisor.failed}
        try:
            async with serving(self.site.state, self._answer):
                done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                for end in done - {self.stop}:
                    end.result()  # raises why
                return self.stop.result()
        finally:
            self.announcer.say("stopping")
            for task in (work, sampling):
                task.cancel()
            await asyncio.gather(work, sampling, return_exceptions=True)
            await self.local.on_demand.close()

    def _asked_to_stop(self, code: int) -> None:
        if self.stop.done():
            os._exit(code)  # asked twice: the guard kills what is left, at once
        self.stop.set_result(code)

    async def _work(self) -> None:
        outcomes = await self.local.apply(self.wish.pipelines, self._tell)
        for outcome in outcomes:
            # A part that cannot start ends the first run; a job that Flink refuses leaves the rest running.
            if outcome.error is not None and outcome.step.id.startswith(("gateway/", "loader/", "topic/")):
                raise outcome.error
        # From here on a manifest that is handed over never ends what runs.
        self.local.on_demand.settled = True
        self.announcer.say(f"up: {self.consumption.summary()}")
        tasks = [self.local.keep()]
        if self.wish.watched:
            tasks.append(watch(self.wish.watched, self.wish.texts, self._apply_anew, self.announcer.say))
        await asyncio.gather(*tasks)

    async def _apply_anew(self, texts: dict[str, str]) -> bool:
        """What a watched file says now; the steps tell themselves."""
        outcomes = await self.local.apply(load_texts(texts).pipelines, self._tell)
        return not any(outcome.error for outcome in outcomes)

    def _tell(self, outcome: Outcome) -> None:
        self.local.tell(outcome)
        if outcome.error is None and outcome.step.id.startswith("gateway/"):
            for line in self._invitation(outcome.step.id.removeprefix("gateway/")):
                self.announcer.say(line)

    def _invitation(self, gateway: str) -> list[str]:
        """Where it is, and a first event to paste."""
        from headrace.cli.invitation import invitation

        return invitation(self.local, gateway, gateway_url(self.site, gateway))

    async def _answer(self, request: dict[str, Any], say: Say) -> dict[str, Any]:
        """One request on the control socket."""
        match request["do"]:
            case "status":
                return {"status": await status_of(self.local), "code": 0}
            case "stop":
                if not self.stop.done():
                    self.stop.set_result(0)
                return {"code": 0}
            case "plan":
                return await self._show_plan(request["texts"], say)
            case "apply":
                return await self._take_over(request["texts"], say)
            case other:
                return {"say": f"this version does not know {other!r}", "code": 2}

    async def _show_plan(self, texts: dict[str, str], say: Say) -> dict[str, Any]:
        loaded = load_texts(texts)
        for problem in loaded.problems:
            await say(str(problem))
        if loaded.problems:
            return {"code": 1}
        backend, blocked = self.local.backend, False
        observed = await backend.observe()
        for pipeline in loaded.pipelines:
            steps = await backend.gate(self.local.steps(pipeline, observed))
            blocked = blocked or any(step.blocked for step in steps)
            await say(render_plan(self.local.plan_of(pipeline)))
            await say("`headrace up` would:\n" + render_steps(steps))
        return {"code": 1 if blocked else 0}

    async def _take_over(self, texts: dict[str, str], say: Say) -> dict[str, Any]:
        loaded = load_texts(texts)
        for problem in loaded.problems:
            await say(str(problem))
        if loaded.problems:
            return {"code": 1}
        observed = await self.local.backend.observe()
        for pipeline in loaded.pipelines:
            await say(render_steps(self.local.steps(pipeline, observed)))
        told: list[str] = []

        def tell(outcome: Outcome) -> None:
            self._tell(outcome)
            told.append(f"not done: {outcome.error}" if outcome.error else describe(outcome.step))

        outcomes = await self.local.apply(loaded.pipelines, tell)
        for line in told:
            await say(line)
        return {"code": 1 if any(outcome.error for outcome in outcomes) else 0}
