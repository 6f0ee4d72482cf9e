"""Traffic for one sample: paced, in order, and brought to a clean end.

The demo runs it in a thread of its own; `python -m headrace_apps.demo.generate` runs it alone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from headrace_apps.demo.api import Api, Away
from headrace_apps.demo.external import ExternalProducer
from headrace_apps.demo.ledger import Answer, Kind, LedgerWriter, Route, Sent
from headrace_apps.demo.rhythm import Rhythm, daily, steady
from headrace_apps.demo.sample import Manifest, Sample
from headrace_apps.demo.sender import Aborted, OrderedSender, Tally
from headrace_apps.demo.stream import MAX_DISORDER_MS, EventStream, Mix
from headrace_apps.demo.wire import Wire

MAX_BATCH = 100
TICK = 0.05
CATCH_UP_SECONDS = 2.0
"""After an outage no more than this much of the missed events is sent at once."""
MALFORMED_EVERY = 0.6
LATE_AT_ONCE = 4
CLOSING_AT_ONCE = 24
REFERENCES_SECONDS = 60.0


class TrafficError(Exception):
    """The traffic could not be brought to its end."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for. `rate` in events per second; `steady` leaves out swing and bursts; `duration` in seconds,
    None: until told to stop; `signs_seconds`: how long to wait, after the closing events, for the jobs' signs."""

    rate: float
    seed: int
    duration: float | None
    steady: bool = False
    signs_seconds: float = 420.0


@dataclass(slots=True)
class Signals:
    """What the traffic and its surroundings tell each other."""

    all_signs: threading.Event = field(default_factory=threading.Event)
    """Set by whoever sees a record of every job that can find an event late; late events wait for it."""
    finish: threading.Event = field(default_factory=threading.Event)
    """Set to end a run early: what is under way is closed properly."""
    abort: threading.Event = field(default_factory=threading.Event)
    """Set to give up."""


@dataclass(frozen=True, slots=True)
class Ways:
    """How events leave."""

    api: Api
    sender: OrderedSender
    external: ExternalProducer


def make_traffic(
    sample: Sample,
    manifest: Manifest,
    order: Order,
    signals: Signals,
    tally: Tally,
    *,
    api: Api,
    bootstrap: str,
    registry: str | None,
    ledger: LedgerWriter,
    on_send: Callable[[Sequence[Sent]], object] = lambda _: None,
) -> Traffic:
    """The parts put together; the same order and seed give the same events. Raises FileNotFoundError for real records
    that are not installed."""
    rng, wire, mix = Random(order.seed), Wire(manifest, registry), Mix()
    chance = Random(order.seed + 1)
    external = ExternalProducer(
        sample, manifest, wire, bootstrap=bootstrap, ledger=ledger, tally=tally, rng=Random(order.seed + 2)
    )
    sender = OrderedSender(
        {Route.GATEWAY: api, Route.KAFKA: external}, ledger, tally, abort=signals.abort, on_send=on_send
    )
    rate = order.rate * sample.share
    return Traffic(
        stream=EventStream(rng, mix, sample.author(rng)),
        ways=Ways(api, sender, external),
        rhythm=steady(rate) if order.steady else daily(rate, Random(order.seed + 3)),
        order=order,
        route=lambda: Route.KAFKA if chance.random() < sample.peers else Route.GATEWAY,
        references_view=sample.references_view,
        late=mix.late,
        signals=signals,
    )


class Traffic:
    """One run; `run` once."""

    def __init__(
        self,
        *,
        stream: EventStream,
        ways: Ways,
        rhythm: Rhythm,
        order: Order,
        route: Callable[[], Route],
        references_view: str | None,
        late: int,
        signals: Signals,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._stream = stream
        self._api, self._sender, self._external = ways.api, ways.sender, ways.external
        self._rhythm = rhythm
        self._order = order
        self._route = route
        self._references_view = references_view
        self._late = late
        self._signals = signals
        self._clock = clock
        self._started = self._now()

    def run(self) -> None:
        """Send until the time is over or `finish` is set, then close. Raises TrafficError, Aborted, Unexpected."""
        self._started = self._now()
        self._send_first_references()
        self._send_paced()
        self._close()

    def _now(self) -> int:
        return int(self._clock() * 1000)

    def _send_first_references(self) -> None:
        """What events refer to is there before them, also where the gateway looks it up."""
        references = self._stream.references(self._now())
        self._sender.send(references)
        deadline = time.monotonic() + REFERENCES_SECONDS
        while references and self._references_view:
            try:
                if self._api.view_size(self._references_view) >= len(references):
                    return
            except Away:
                pass
            if time.monotonic() > deadline:
                raise TrafficError(f"the view {self._references_view} does not show what was sent for it")
            if self._signals.abort.wait(0.1):
                raise Aborted

    def _send_paced(self) -> None:
        begun = time.monotonic()
        last, due, malformed_due = begun, 0.0, begun
        finish, duration = self._signals.finish, self._order.duration
        while not finish.wait(TICK):
            now = time.monotonic()
            if duration is not None and now - begun >= duration:
                return
            rate = self._rhythm.rate_at(now - begun)
            due = min(due + rate * (now - last), rate * CATCH_UP_SECONDS)
            last = now
            if now >= malformed_due:
                self._external.produce_malformed()
                malformed_due = now + MALFORMED_EVERY
            while due >= 1 and not finish.is_set():
                count = min(int(due), MAX_BATCH)
                due -= count
                self._send_batch(count)
            if self._signals.all_signs.is_set():
                self._send_late(LATE_AT_ONCE)
            self._external.poll()

    def _send_batch(self, count: int) -> list[Answer]:
        # After an outage the stragglers of before come first: behind newer events they would be late.
        self._sender.send(self._stream.take_held(self._now() - MAX_DISORDER_MS))
        now = self._now()
        self._sender.send(self._stream.references(now))
        # Stamped alike, however long the references took: between the two no straggler can have become overdue.
        return self._sender.send(self._stream.next_batch(now, count, self._route()))

    def _send_late(self, count: int) -> None:
        if count := min(count, self._late):
            self._late -= count
            self._sender.send(self._stream.late_events(self._started, count))

    def _close(self) -> None:
        self._sender.send(self._stream.take_held(self._now() + 1))
        partitions = set(range(self._external.partitions()))
        for attempt in range(20):
            closing: list[Sent] = self._stream.closing_events(attempt, CLOSING_AT_ONCE)
            answers = zip(closing, self._sender.send(closing), strict=True)
            partitions -= {answer.partition for sent, answer in answers if sent.kind is Kind.CLOSING}
            if not partitions:
                break
        else:
            raise TrafficError(f"no closing event reached the partitions {sorted(partitions)}")
        if self._late and not self._signals.all_signs.wait(self._order.signs_seconds):
            raise TrafficError(f"not every job wrote a result within {self._order.signs_seconds:.0f} s of the end")
        while self._late:
            self._send_late(LATE_AT_ONCE)
        if lost := self._external.flush():
            raise TrafficError(f"{lost} malformed records were not acknowledged")
