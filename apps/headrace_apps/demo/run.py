"""The demo from start to verdict: up, traffic, live figures, kills, closing events, drain, check, down.

One asyncio task here; the traffic and the watchers have threads of their own. `headrace up` is a tethered child: it
ends with this process, however that ends, and takes its services with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from confluent_kafka import KafkaException
from rich.console import Console

from headrace_apps.demo.api import Api, Unexpected
from headrace_apps.demo.check.places import parse_places
from headrace_apps.demo.drain import undrained
from headrace_apps.demo.figures import CatchUp, Figures
from headrace_apps.demo.kills import Kill
from headrace_apps.demo.ledger import LedgerWriter
from headrace_apps.demo.live import LiveView, Snapshots
from headrace_apps.demo.sender import Aborted, Tally
from headrace_apps.demo.traffic import Order, Signals, TrafficError, make_traffic
from headrace_apps.demo.up import Addresses, Up, UpError
from headrace_apps.demo.watchers import CleanClicks, LoadedTable, PageViews, Place, Topics, Watcher

POLL = 0.1
CLOSE_SECONDS = 5.0
REDRAW = 0.5
DRAIN_SECONDS = 180.0
FIRST_AGGREGATE_SECONDS = 240.0
"""For a run whose kills wait for the first aggregate."""
AFTER_KILL_SECONDS = 10.0
"""The traffic goes on at least so long after the last kill, and until it flows again: it must meet what was killed."""

NOT_STARTED, INTERRUPTED = 3, 130


class DemoError(Exception):
    """The demo cannot go on; worded for the person at the keyboard."""


class Interrupted(Exception):  # noqa: N818
    """Ctrl-C before there was anything to check, or a second one."""


@dataclass(frozen=True, slots=True)
class Demo:
    """What was asked for. `state`: a new folder for everything of this run."""

    order: Order
    """Without a duration: the end of the traffic is decided here."""
    duration: float | None
    kills: Sequence[Kill]
    pipeline: Path
    state: Path
    console: Console
    started: float = field(default_factory=time.monotonic)

    @property
    def ledger(self) -> Path:
        return self.state / "ledger.jsonl"


async def run_demo(demo: Demo) -> int:
    """The exit code: the check's, or 3 when a part could not be had, or 130 when it was interrupted."""
    signals = Signals()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, _interrupt, signals)
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, signals.abort.set)
    demo.state.mkdir(parents=True, exist_ok=True)
    try:
        say = partial(demo.console.print, markup=False, highlight=False, soft_wrap=True)
        async with Up(demo.pipeline, demo.state, say) as up:
            return await _run(demo, up, signals)
    except (DemoError, UpError) as error:
        demo.console.print(f"The demo failed: {error}", style="red", markup=False)
        return NOT_STARTED
    except Interrupted:
        demo.console.print("Interrupted.", style="yellow")
        return INTERRUPTED


def _interrupt(signals: Signals) -> None:
    """The first Ctrl-C ends the traffic properly, the second gives up."""
    (signals.abort if signals.finish.is_set() else signals.finish).set()


async def _run(demo: Demo, up: Up, signals: Signals) -> int:
    addresses = await _addresses(up, signals)
    places = parse_places(addresses.check_arguments())
    tally, figures, ended = Tally(), Figures(), threading.Event()
    looks: list[Place] = [
        CleanClicks(Api(addresses.gateway, addresses.token)),
        PageViews(Api(addresses.gateway, addresses.token), signals.first_result),
        Topics(addresses.bootstrap),
        LoadedTable(places.snowflake, places.table),
    ]
    watchers = [Watcher(place, figures, ended) for place in looks]
    for watcher in watchers:
        watcher.start()
    scene = _Scene(demo, up, signals, tally, figures)
    try:
        with LiveView(demo.console) as view:
            await scene.play(view, addresses)
            await scene.drain(view)
    finally:
        ended.set()
        signals.abort.set()
        for watcher in watchers:
            await asyncio.to_thread(watcher.join, CLOSE_SECONDS)
    print_summary(demo.console, demo.started, tally, figures)
    return await asyncio.shield(check(demo.ledger, addresses))


async def _addresses(up: Up, signals: Signals) -> Addresses:
    """Where the parts are, once the gateway serves; `up` prints its own progress meanwhile."""
    while True:
        if (addresses := await up.addresses()) is not None:
            return addresses
        if signals.finish.is_set() or signals.abort.is_set():
            raise Interrupted
        up.raise_if_ended()
        await asyncio.sleep(POLL)


class _Scene:
    """The run itself, from the first event to the last result."""

    def __init__(self, demo: Demo, up: Up, signals: Signals, tally: Tally, figures: Figures) -> None:
        self._demo = demo
        self._up = up
        self._signals = signals
        self._tally = tally
        self._figures = figures
        self._snapshots = Snapshots(tally, figures)
        self._kills = sorted(demo.kills)
        self._failure: str | None = None
        self._catch_up = CatchUp()
        self._begun = time.monotonic()
        self._last_kill = float("-inf")

    async def play(self, view: LiveView, addresses: Addresses) -> None:
        """Send everything while the view is shown and the parts are killed. Raises DemoError, Interrupted."""
        self._begun = time.monotonic()
        sending = asyncio.create_task(asyncio.to_thread(self._send, addresses))
        told: set[str] = set()
        while not sending.done():
            self._measure_from_catch_up()
            self._tell_firsts(view, told)
            await self._kill_due(view)
            if self._is_over():
                self._signals.finish.set()
            view.show(self._snapshots.take, "closing" if self._signals.finish.is_set() else "sending")
            try:
                self._up.raise_if_ended()
            except UpError:
                self._signals.abort.set()
                await asyncio.wait({sending})
                raise
            await asyncio.wait({sending}, timeout=REDRAW)
        try:
            sending.result()
        except Aborted:
            if self._failure:
                raise DemoError(self._failure) from None
            raise Interrupted from None
        except (TrafficError, Unexpected, FileNotFoundError, KafkaException) as error:
            raise DemoError(str(error)) from error
        self._tell_firsts(view, told)

    async def drain(self, view: LiveView) -> None:
        """Wait until every end has everything; after the deadline the check says what is missing."""
        deadline = time.monotonic() + DRAIN_SECONDS
        while waits := undrained(self._tally, self._figures):
            if self._signals.abort.is_set():
                raise Interrupted
            self._up.raise_if_ended()
            if time.monotonic() > deadline:
                troubles = [f"{place}: {why}" for place, why in self._figures.troubles.items()]
                view.say(f"Not drained after {DRAIN_SECONDS:.0f} s: {'; '.join([*waits, *troubles])}")
                return
            view.show(self._snapshots.take, "draining")
            await asyncio.sleep(REDRAW)
        view.show(self._snapshots.take, "drained")

    def _send(self, addresses: Addresses) -> None:
        with Api(addresses.gateway, addresses.token) as api, LedgerWriter(self._demo.ledger) as ledger:
            make_traffic(
                self._demo.order,
                self._signals,
                self._tally,
                api=api,
                bootstrap=addresses.bootstrap,
                ledger=ledger,
                on_send=self._figures.latencies.sent,
            ).run()

    def _measure_from_catch_up(self) -> None:
        figures, now = self._figures, time.monotonic()
        if figures.caught_up is None and self._catch_up.reached(now, self._tally.accepted_ids, figures.processed):
            figures.caught_up = now
            figures.latencies.restart()

    def _tell_firsts(self, view: LiveView, told: set[str]) -> None:
        for what, at in firsts(self._tally, self._figures):
            if at is not None and what not in told:
                told.add(what)
                view.say(f"{what}: {at - self._demo.started:.1f} s after the start")

    def _is_over(self) -> bool:
        """Whether the duration is over and every kill is done and had its time."""
        now, duration = time.monotonic(), self._demo.duration
        if self._kills and self._figures.first_result is None and now > self._begun + FIRST_AGGREGATE_SECONDS:
            self._signals.abort.set()
            self._failure = f"no aggregate within {FIRST_AGGREGATE_SECONDS:.0f} s, so nothing was killed"
        recovered = not self._kills and now > self._last_kill + AFTER_KILL_SECONDS and self._tally.away is None
        return duration is not None and now > self._begun + duration and recovered

    async def _kill_due(self, view: LiveView) -> None:
        first = self._figures.first_result
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


async def check(ledger: Path, addresses: Addresses) -> int:
    """The check as a process of its own, its output on ours; its exit code."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "headrace_apps.demo.check", "--ledger", str(ledger), *addresses.check_arguments())
    )
    return await process.wait()


def firsts(tally: Tally, figures: Figures) -> list[tuple[str, float | None]]:
    """What happens once, and when it did (monotonic seconds)."""
    return [
        ("first 2xx", tally.first_accepted),
        ("first aggregate", figures.first_result),
        ("caught up with the traffic", figures.caught_up),
    ]


def print_summary(console: Console, started: float, tally: Tally, figures: Figures) -> None:
    """The run's own figures, before the verdict."""
    lines = [
        f"sent: {tally.accepted_events:,} accepted ({tally.repeated:,} of them repeats, {tally.late:,} late),"
        f" {tally.refused:,} refused, {tally.malformed:,} malformed records straight into Kafka,"
        f" {tally.retries:,} retries",
    ]
    lines += [f"{what}: {at - started:.1f} s after the start" for what, at in firsts(tally, figures) if at is not None]
    if latency := figures.latencies.overall():
        which = "sent after it had caught up" if figures.caught_up else "all, as it never caught up with the traffic"
        lines.append(
            f"HTTP to exactly-once output and back out of the API: p50 {latency.p50 * 1000:.0f} ms,"
            f" p95 {latency.p95 * 1000:.0f} ms ({latency.count:,} events, {which})"
        )
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)
