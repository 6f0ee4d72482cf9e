"""The demo from start to verdict: up, traffic, live figures, kills, closing events, drain, check, down.

One asyncio task here; each sample's traffic and watchers have threads of their own (scene.py). The first sample starts
with `headrace up`, the others are handed to it while the first is running already. `headrace up` is a tethered child:
it ends with this process, however that ends, and takes its services with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from rich.console import Console

from headrace_apps.demo.kills import Kill
from headrace_apps.demo.live import LiveView, Snapshot
from headrace_apps.demo.sample import Sample, read_manifest
from headrace_apps.demo.scene import Scene, SceneError
from headrace_apps.demo.sender import Aborted
from headrace_apps.demo.summary import print_summary, print_verdict
from headrace_apps.demo.traffic import Order, Signals
from headrace_apps.demo.up import Up, UpError

POLL = 0.1
REDRAW = 0.5
DRAIN_SECONDS = 300.0
FIRST_AGGREGATE_SECONDS = 600.0
"""For a run whose kills wait for the first aggregates."""
AFTER_KILL_SECONDS = 10.0
"""The traffic goes on at least so long after the last kill, and until it flows again: it must meet what was killed."""
AT_LEAST_SECONDS = 15.0
"""Of traffic for a sample that was added later, if the run is that long."""
CHECK_WAIT = 30.0
"""For the views, which the drain does not ask."""

NOT_STARTED, INTERRUPTED = 3, 130


class DemoError(Exception):
    """The demo cannot go on; worded for the person at the keyboard."""


class Interrupted(Exception):  # noqa: N818
    """Ctrl-C before there was anything to check, or a second one."""


@dataclass(frozen=True, slots=True)
class Demo:
    """What was asked for. `pipelines`: the samples and their manifests, in the order of starting; `state`: a new folder
    for everything of this run."""

    order: Order
    """Without a duration: the end of the traffic is decided here."""
    duration: float | None
    kills: Sequence[Kill]
    pipelines: Mapping[str, tuple[Sample, Path]]
    state: Path
    console: Console
    started: float = field(default_factory=time.monotonic)


async def run_demo(demo: Demo) -> int:
    """The exit code: the checks', or 3 when a part could not be had, or 130 when it was interrupted."""
    signals = Signals()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, _interrupt, signals)
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, signals.abort.set)
    demo.state.mkdir(parents=True, exist_ok=True)
    try:
        say = partial(demo.console.print, markup=False, highlight=False, soft_wrap=True)
        first = next(manifest for _, manifest in demo.pipelines.values())
        async with Up(first, demo.state, say) as up:
            return await _run(demo, up, signals)
    except (DemoError, SceneError, UpError) as error:
        demo.console.print(f"The demo failed: {error}", style="red", markup=False)
        return NOT_STARTED
    except Interrupted:
        demo.console.print("Interrupted.", style="yellow")
        return INTERRUPTED


def _interrupt(signals: Signals) -> None:
    """The first Ctrl-C ends the traffic properly, the second gives up."""
    (signals.abort if signals.finish.is_set() else signals.finish).set()


async def _run(demo: Demo, up: Up, signals: Signals) -> int:
    play = _Play(demo, up, signals)
    try:
        await play.begin_first()
        with LiveView(demo.console) as view:
            await play.run(view)
            await play.drain(view)
    finally:
        await play.end()
    print_summary(demo.console, demo.started, play.scenes)
    return await asyncio.shield(check(demo, play.scenes))


class _Play:
    """The run itself, from the first event to the last result."""

    def __init__(self, demo: Demo, up: Up, signals: Signals) -> None:
        self.scenes: list[Scene] = []
        self._demo = demo
        self._up = up
        self._signals = signals
        self._kills = sorted(demo.kills)
        self._failure: str | None = None
        self._told: set[str] = set()
        self._adding: asyncio.Task[None] | None = None
        self._begun = self._last_kill = float("-inf")

    async def begin_first(self) -> None:
        """The first sample's traffic flows as soon as its gateway serves; `up` prints its own progress meanwhile."""
        (sample, manifest), *others = self._demo.pipelines.values()
        await self._begin(sample, manifest)
        self._begun = time.monotonic()
        self._adding = asyncio.create_task(self._add(others))

    async def _add(self, others: Sequence[tuple[Sample, Path]]) -> None:
        for sample, manifest in others:
            await self._up.add(sample.name, await asyncio.to_thread(manifest.read_text))
            await self._begin(sample, manifest)

    async def _begin(self, sample: Sample, path: Path) -> None:
        manifest = read_manifest(path)
        signals = Signals(threading.Event(), self._signals.finish, self._signals.abort)
        addresses = None
        while addresses is None:
            addresses = await self._up.addresses(manifest)
            if self._signals.abort.is_set() or (self._signals.finish.is_set() and not self.scenes):
                raise Interrupted
            self._up.raise_if_ended()
            await asyncio.sleep(0 if addresses else POLL)
        ledger = self._demo.state / f"{sample.name}.ledger.jsonl"
        scene = Scene(sample, manifest, self._demo.order, addresses, ledger, signals)
        scene.begin()
        self.scenes.append(scene)

    async def run(self, view: LiveView) -> None:
        """Everything is sent while the view is shown and the parts are killed. Raises DemoError, Interrupted, …"""
        while self._is_adding() or any(scene.sending for scene in self.scenes):
            for scene in self.scenes:
                scene.measure_from_catch_up()
                self._raise_if_failed(scene)
            self._tell_firsts(view)
            await self._kill_due(view)
            if self._is_over():
                self._signals.finish.set()
            view.show(self._takes(), "closing" if self._signals.finish.is_set() else "sending")
            self._up.raise_if_ended()
            await asyncio.sleep(REDRAW)
        for scene in self.scenes:
            self._raise_if_failed(scene)
        self._tell_firsts(view)

    async def drain(self, view: LiveView) -> None:
        """Wait until every end has everything; after the deadline the checks say what is missing."""
        deadline = time.monotonic() + DRAIN_SECONDS
        while waits := [wait for scene in self.scenes for wait in scene.undrained()]:
            if self._signals.abort.is_set():
                raise Interrupted
            self._up.raise_if_ended()
            if time.monotonic() > deadline:
                troubles = [f"{place}: {why}" for s in self.scenes for place, why in s.figures.troubles.items()]
                view.say(f"Not drained after {DRAIN_SECONDS:.0f} s: {'; '.join([*waits, *troubles])}")
                return
            view.show(self._takes(), "draining")
            await asyncio.sleep(REDRAW)
        view.show(self._takes(), "drained")

    async def end(self) -> None:
        if self._adding is not None:
            self._adding.cancel()
            with contextlib.suppress(asyncio.CancelledError, DemoError, UpError, Interrupted):
                await self._adding
        for scene in self.scenes:
            await scene.end()

    def _takes(self) -> list[Callable[[], Snapshot]]:
        return [scene.snapshots.take for scene in self.scenes]

    def _is_adding(self) -> bool:
        """Raises what went wrong with the adding."""
        if self._adding is None or not self._adding.done():
            return True
        self._adding.result()
        return False

    def _raise_if_failed(self, scene: Scene) -> None:
        try:
            scene.raise_if_failed()
        except Aborted:
            if self._failure:
                raise DemoError(self._failure) from None
            raise Interrupted from None

    def _tell_firsts(self, view: LiveView) -> None:
        for scene in self.scenes:
            for what, at in scene.firsts():
                line = f"{scene.sample.name}: {what}"
                if at is not None and line not in self._told:
                    self._told.add(line)
                    view.say(f"{line}: {at - self._demo.started:.1f} s after the start")

    def _is_over(self) -> bool:
        """Whether the duration is over, every sample had its time, and every kill is done and had its own."""
        now, duration = time.monotonic(), self._demo.duration
        if self._kills and self._first_results() is None and now > self._begun + FIRST_AGGREGATE_SECONDS:
            self._signals.abort.set()
            self._failure = f"no aggregate within {FIRST_AGGREGATE_SECONDS:.0f} s, so nothing was killed"
        if duration is None or self._is_adding() or now < self._begun + duration:
            return False
        least = min(duration, AT_LEAST_SECONDS)
        quiet = not self._kills and now > self._last_kill + AFTER_KILL_SECONDS
        return quiet and all(now > scene.begun + least and scene.tally.away is None for scene in self.scenes)

    def _first_results(self) -> float | None:
        """When the last of the samples showed its first aggregate."""
        firsts = [scene.figures.first_result for scene in self.scenes]
        known = [first for first in firsts if first is not None]
        return max(known) if len(known) == len(self._demo.pipelines) else None

    async def _kill_due(self, view: LiveView) -> None:
        if self._signals.abort.is_set():
            return
        first = self._first_results()
        while self._kills and first is not None and time.monotonic() - first >= self._kills[0].at:
            kill = self._kills.pop(0)
            self._last_kill = time.monotonic()
            services = await self._up.services()
            found = {name: pid for name, pid in services.items() if kill.is_of(name)}
            if not found:
                view.say(f"cannot kill {kill.part}: no such part runs at the moment")
            for name, pid in found.items():
                view.say(f"killing {name} (pid {pid}) with SIGKILL")
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


async def check(demo: Demo, scenes: Sequence[Scene]) -> int:
    """Each sample's check as a process of its own, its output on ours; the worst exit code."""
    codes: dict[str, int] = {}
    for scene in scenes:
        sample, manifest = demo.pipelines[scene.sample.name]
        command = [sys.executable, "-m", "headrace_apps.demo.check", "--sample", sample.name]
        command += ["--pipeline", str(manifest), "--ledger", str(scene.ledger), "--wait", str(CHECK_WAIT)]
        process = await asyncio.create_subprocess_exec(*command, *scene.addresses.check_arguments())
        codes[sample.name] = await process.wait()
    print_verdict(demo.console, codes)
    return max(codes.values())
