"""Traffic for the clickstream sample: paced, in order, and brought to a clean end.

The demo runs it in a thread of its own; `python -m headrace_apps.demo.generate` runs it alone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from headrace_apps.demo.api import Api
from headrace_apps.demo.external import ExternalProducer
from headrace_apps.demo.ledger import Answer, LedgerWriter, Sent
from headrace_apps.demo.replay import read_purchases
from headrace_apps.demo.rhythm import Rhythm, daily, steady
from headrace_apps.demo.sender import OrderedSender, Tally
from headrace_apps.demo.stream import MAX_DISORDER_MS, ClickStream, Mix

MAX_BATCH = 100
TICK = 0.05
CATCH_UP_SECONDS = 2.0
"""After an outage no more than this much of the missed events is sent at once."""
MALFORMED_EVERY = 0.6
LATE_AT_ONCE = 4
CLOSING_AT_ONCE = 24


class TrafficError(Exception):
    """The traffic could not be brought to its end."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds. `duration` None: until told to stop."""

    duration: float | None
    first_result: float = 240.0
    """How long to wait, after the closing events, for the first result."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for. `rate` in events per second; `steady` leaves out swing and bursts."""

    rate: float
    seed: int
    duration: float | None
    steady: bool = False


@dataclass(slots=True)
class Signals:
    """What the traffic and its surroundings tell each other."""

    first_result: threading.Event = field(default_factory=threading.Event)
    """Set by whoever sees the first row of the view; late events wait for it."""
    finish: threading.Event = field(default_factory=threading.Event)
    """Set to end a run early: what is under way is closed properly."""
    abort: threading.Event = field(default_factory=threading.Event)
    """Set to give up."""


def make_traffic(
    order: Order,
    signals: Signals,
    tally: Tally,
    *,
    api: Api,
    bootstrap: str,
    ledger: LedgerWriter,
    on_send: Callable[[Sequence[Sent]], object] = lambda _: None,
) -> Traffic:
    """The parts put together; the same order and seed give the same events. Raises FileNotFoundError (replay.py)."""
    rng = Random(order.seed)
    mix = Mix()
    return Traffic(
        stream=ClickStream(rng, mix, read_purchases()),
        sender=OrderedSender(api, ledger, tally, abort=signals.abort, on_send=on_send),
        external=ExternalProducer(bootstrap, ledger, tally, Random(order.seed + 1)),
        rhythm=steady(order.rate) if order.steady else daily(order.rate, Random(order.seed + 2)),
        timing=Timing(order.duration),
        late=mix.late,
        signals=signals,
    )


class Traffic:
    """One run; `run` once."""

    def __init__(
        self,
        *,
        stream: ClickStream,
        sender: OrderedSender,
        external: ExternalProducer,
        rhythm: Rhythm,
        timing: Timing,
        late: int,
        signals: Signals,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._stream = stream
        self._sender = sender
        self._external = external
        self._rhythm = rhythm
        self._timing = timing
        self._late = late
        self._first_result = signals.first_result
        self._finish = signals.finish
        self._clock = clock
        self._started = self._now()

    def run(self) -> None:
        """Send until the time is over or `finish` is set, then close. Raises TrafficError, Aborted, Unexpected."""
        self._started = self._now()
        self._send_paced()
        self._close()

    def _now(self) -> int:
        return int(self._clock() * 1000)

    def _send_paced(self) -> None:
        begun = time.monotonic()
        last, due, malformed_due = begun, 0.0, begun
        while not self._finish.wait(TICK):
            now = time.monotonic()
            if self._timing.duration is not None and now - begun >= self._timing.duration:
                return
            rate = self._rhythm.rate_at(now - begun)
            due = min(due + rate * (now - last), rate * CATCH_UP_SECONDS)
            last = now
            if now >= malformed_due:
                self._external.produce_one()
                malformed_due = now + MALFORMED_EVERY
            while due >= 1 and not self._finish.is_set():
                count = min(int(due), MAX_BATCH)
                due -= count
                self._send_batch(count)
            if self._first_result.is_set():
                self._send_late(LATE_AT_ONCE)
            self._external.poll()

    def _send_batch(self, count: int) -> list[Answer]:
        # After an outage the stragglers of before come first: behind newer events they would be late.
        self._sender.send(self._stream.take_held(self._now() - MAX_DISORDER_MS))
        return self._sender.send(self._stream.next_batch(self._now(), count))

    def _send_late(self, count: int) -> None:
        if count := min(count, self._late):
            self._late -= count
            self._sender.send(self._stream.late_events(self._started, count))

    def _close(self) -> None:
        self._sender.send(self._stream.take_held(self._now() + 1))
        partitions = set(range(self._external.partitions()))
        for attempt in range(20):
            closing: list[Sent] = self._stream.closing_events(attempt, CLOSING_AT_ONCE)
            reached = {answer.partition for answer in self._sender.send(closing)}
            partitions = {partition for partition in partitions if partition not in reached}
            if not partitions:
                break
        else:
            raise TrafficError(f"no closing event reached the partitions {sorted(partitions)}")
        if self._late and not self._first_result.wait(self._timing.first_result):
            raise TrafficError(f"no result was seen within {self._timing.first_result:.0f} s of the closing events")
        while self._late:
            self._send_late(LATE_AT_ONCE)
        if lost := self._external.flush():
            raise TrafficError(f"{lost} malformed records were not acknowledged")
