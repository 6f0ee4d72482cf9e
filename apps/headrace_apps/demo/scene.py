"""One sample on stage: its traffic in a thread, its watchers, and what they know of each other."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import KafkaException

from headrace_apps.demo.api import Api, Unexpected
from headrace_apps.demo.check.expectation import Expectation, accepted_of
from headrace_apps.demo.check.places import parse_places
from headrace_apps.demo.drain import undrained
from headrace_apps.demo.figures import CatchUp, Figures
from headrace_apps.demo.ledger import LedgerWriter, read_ledger
from headrace_apps.demo.live import Snapshots
from headrace_apps.demo.sample import Manifest, Sample
from headrace_apps.demo.sender import Aborted, Tally
from headrace_apps.demo.traffic import Order, Signals, TrafficError, make_traffic
from headrace_apps.demo.up import Addresses
from headrace_apps.demo.watchers import FirstRow, FollowedOutput, LoadedTables, Place, Topics, Watcher

CLOSE_SECONDS = 5.0


class SceneError(Exception):
    """A sample's traffic could not be brought to its end; worded for the person at the keyboard."""


@dataclass(slots=True)
class Scene:
    """`begin` once its gateway serves; the traffic ends when `signals.finish` is set, at once by `signals.abort`."""

    sample: Sample
    manifest: Manifest
    order: Order
    addresses: Addresses
    ledger: Path
    signals: Signals
    tally: Tally = field(default_factory=Tally)
    figures: Figures = field(default_factory=Figures)
    begun: float = 0.0
    _ended: threading.Event = field(default_factory=threading.Event)
    _watchers: list[Watcher] = field(default_factory=list)
    _catch_up: CatchUp = field(default_factory=CatchUp)
    _sending: asyncio.Task[None] | None = None
    _snapshots: Snapshots | None = None
    _expected: Expectation | None = None

    def begin(self) -> None:
        """Traffic and watchers start."""
        self.begun = time.monotonic()
        self._watchers = [Watcher(place, self.figures, self._ended) for place in self._places()]
        for watcher in self._watchers:
            watcher.start()
        self._sending = asyncio.create_task(asyncio.to_thread(self._send))

    def _places(self) -> list[Place]:
        at, sample = self.addresses, self.sample
        id_field = self.manifest.topics[sample.events].id_field if sample.one_to_one else None
        places = parse_places(at.check_arguments())
        tables = {sink.name: f"{at.database}.{sink.table}" for sink in self.manifest.sinks.values()}
        return [
            FollowedOutput(Api(at.gateway, at.token), sample.followed, id_field),
            FirstRow(Api(at.gateway, at.token), sample.view),
            Topics(sample, self.manifest, at.bootstrap, self.signals.all_signs),
            LoadedTables(places.snowflake, tables),
        ]

    def _send(self) -> None:
        at = self.addresses
        with Api(at.gateway, at.token) as api, LedgerWriter(self.ledger) as ledger:
            make_traffic(
                self.sample,
                self.manifest,
                self.order,
                self.signals,
                self.tally,
                api=api,
                bootstrap=at.bootstrap,
                registry=at.registry,
                ledger=ledger,
                on_send=self.figures.latencies.sent,
            ).run()

    @property
    def snapshots(self) -> Snapshots:
        if self._snapshots is None:
            self._snapshots = Snapshots(self.sample.name, self.tally, self.figures)
        return self._snapshots

    @property
    def sending(self) -> bool:
        return self._sending is not None and not self._sending.done()

    def raise_if_failed(self) -> None:
        """SceneError when the traffic ended badly; Aborted when it was given up."""
        if self._sending is None or not self._sending.done():
            return
        try:
            self._sending.result()
        except Aborted:
            raise
        except (TrafficError, Unexpected, FileNotFoundError, KafkaException) as error:
            raise SceneError(f"{self.sample.name}: {error}") from error

    def measure_from_catch_up(self) -> None:
        """Latencies count from when the outputs have caught up: before, they are those of the parts' start."""
        figures, now = self.figures, time.monotonic()
        if not self.sample.one_to_one or figures.caught_up is not None:
            return
        if self._catch_up.reached(now, self.tally.accepted_ids, figures.processed):
            figures.caught_up = now
            figures.latencies.restart()

    def undrained(self) -> list[str]:
        """What is still to come out, once all is sent."""
        if self._expected is None:
            self._expected = self.sample.expect(accepted_of(read_ledger(self.ledger)))
        return [f"{self.sample.name}: {wait}" for wait in undrained(self._expected, self.figures)]

    async def end(self) -> None:
        """Nothing of it runs any more."""
        self._ended.set()
        self.signals.abort.set()
        if self._sending is not None:
            await asyncio.wait({self._sending})
            self._sending.exception()  # looked at, so that asyncio does not print what the demo has told or given up
        for watcher in self._watchers:
            await asyncio.to_thread(watcher.join, CLOSE_SECONDS)

    def firsts(self) -> list[tuple[str, float | None]]:
        """What happens once, and when it did (monotonic seconds)."""
        return [
            ("first 2xx", self.tally.first_accepted),
            ("first aggregate", self.figures.first_result),
            ("caught up with the traffic", self.figures.caught_up),
        ]
