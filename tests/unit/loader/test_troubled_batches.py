"""What the loader does about a failure that is nobody's outage: a new session, and in the end a poison row."""

from __future__ import annotations

import json
import random
import time
from threading import Event
from typing import Any

from prometheus_client import generate_latest

from headrace_apps.loader.batches import Batch, BatchBuilder
from headrace_apps.loader.layout import plan_layout
from headrace_apps.loader.loader import Loader, Parts
from headrace_apps.loader.metrics import LoaderMetrics, Readiness
from headrace_apps.loader.sink import Loaded
from headrace_apps.runtime import Batch as Taken
from headrace_apps.runtime import Breaker, Letter, Record, Retry, Span

from .test_table import document


class Sink:
    """Fails for a row with the id `bad`, as a connector with a fault of its own would; notes the logins."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self._connected = False

    def prepare(self) -> None:
        if not self._connected:
            self.events.append("login")
        self._connected = True

    def disconnect(self) -> None:
        self._connected = False

    def load(self, batch: Batch) -> Loaded:
        self.events.append("load")
        if any("bad" in row for row in batch.rows):
            raise KeyError("the connector's own fault")
        return Loaded(len(batch.rows), 0)

    def try_load(self, batch: Batch) -> None:
        self.load(batch)


class Letters:
    def __init__(self) -> None:
        self.letters: list[Letter] = []
        self.written: set[Any] = set()

    def write(self, letters: list[Letter]) -> None:
        self.letters = list(letters)

    def settled(self, _: Any) -> None: ...


class Impatient(Event):
    """Waits for nothing."""

    def wait(self, timeout: float | None = None) -> bool:
        return self.is_set()


def test_an_error_that_nobody_knows_gets_a_new_session_and_then_counts_as_poison() -> None:
    doc = document()
    sink, letters, metrics = Sink(), Letters(), LoaderMetrics("s")
    found: Any = (sink, letters)  # what the loader needs of the real ones
    parts = Parts(
        sink=found[0],
        builder=BatchBuilder(doc, plan_layout(doc)),
        dead_letters=found[1],
        metrics=metrics,
        readiness=Readiness(),
        topic=found[0],
        topic_id=lambda: "id",
        clock=lambda: 1.0,
    )
    loader = Loader(doc, parts, Retry(Impatient(), Breaker(time.monotonic, random.random)))
    records = [Record(0, n, b"k", json.dumps({"id": name}).encode(), None, 0) for n, name in enumerate(["a", "bad"])]
    loader.handle(Taken(records, {0: Span(0, 2)}, {}))
    assert [(letter.record.offset, letter.error.split(":")[0]) for letter in letters.letters] == [
        (1, f"failed {doc.attempts} times")
    ]
    # All attempts on the batch, the good half, all on the bad one, and what is left: only a good one keeps its login.
    failed = ["login", "load"] * doc.attempts
    assert sink.events == [*failed, "login", "load", "load", *failed[2:], "login", "load"]
    assert 'headrace_consumer_poison_total{consumer="s"} 1.0' in generate_latest(metrics.registry).decode()
