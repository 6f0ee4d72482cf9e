"""A topic on paper: records in memory behind the consumer's and the offsets' faces that the gateway uses."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from confluent_kafka import Message, TopicPartition

from headrace_apps.gateway import reading
from headrace_apps.gateway.offsets import BrokerOffsets
from headrace_apps.gateway.views import follower
from headrace_apps.runtime import reader, watch

DEADLINE = 20.0


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Return as soon as it holds; fail when it never does."""
    end = time.monotonic() + DEADLINE
    pause = threading.Event()
    while not holds():
        if time.monotonic() > end:
            pytest.fail(f"waited {DEADLINE:g} s for: {what}")
        pause.wait(0.005)


class PaperBroker:
    """One topic for whoever asks. `begins` moves when retention deletes; on a `busy` one there
    is another record whenever someone asks where it ends.

    `polls` bounds how often it is asked before it fails, so that what should end does end.
    """

    def __init__(self, polls: int = 100_000) -> None:
        self.records: dict[int, list[Message]] = {}
        self.begins: dict[int, int] = {}
        self.busy = False
        self.partitions = 6
        self.polls = polls

    def add(self, key: bytes | None, value: bytes | None, partition: int = 0) -> None:
        written = self.records.setdefault(partition, [])
        written.append(
            Message(
                topic="t",
                partition=partition,
                offset=len(written),
                key=key,
                value=value,
                headers=[],
                timestamp=(1, 1_795_376_545_622),
            )
        )

    def earliest(self, partitions: Iterable[int]) -> dict[int, int]:
        return {p: self.begins.get(p, 0) for p in partitions}

    def latest(self, partitions: Iterable[int]) -> dict[int, int]:
        if self.busy:
            self.add(b"busy", b"{}")
        return {p: len(self.records.get(p, ())) for p in partitions}

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Instead of librdkafka, for the length of a test."""
        for module in (reading, reader):
            monkeypatch.setattr(module, "Consumer", lambda *_, **__: PaperConsumer(self))
        monkeypatch.setattr(follower, "BrokerTopic", lambda *_: PaperTopic(self))
        monkeypatch.setattr(follower, "fetch_topic_id", lambda *_: "id")
        monkeypatch.setattr(watch, "EVERY_SECONDS", 0.05)
        monkeypatch.setattr(BrokerOffsets, "earliest", lambda _, __, partitions: self.earliest(partitions))
        monkeypatch.setattr(BrokerOffsets, "latest", lambda _, __, partitions: self.latest(partitions))


class PaperTopic:
    """What the runtime asks about the topic."""

    def __init__(self, broker: PaperBroker) -> None:
        self._broker = broker

    def partitions(self) -> list[int]:
        return list(range(self._broker.partitions))

    def begins(self, partitions: Iterable[int]) -> dict[int, int]:
        return self._broker.earliest(partitions)

    def ends(self, partitions: Iterable[int]) -> dict[int, int]:
        return self._broker.latest(partitions)


class PaperConsumer:
    """Reads the broker's records in the order of the partitions."""

    def __init__(self, broker: PaperBroker) -> None:
        self._broker = broker
        self._positions: dict[int, int] = {}

    def assign(self, places: list[TopicPartition]) -> None:
        self._positions = {place.partition: place.offset for place in places}

    def incremental_assign(self, places: list[TopicPartition]) -> None:
        self._positions |= {place.partition: place.offset for place in places}

    def pause(self, places: list[TopicPartition]) -> None:
        """A queue that is full of paper is none to bother about."""

    resume = pause

    def poll(self, timeout: float) -> Message | None:
        self._broker.polls -= 1
        assert self._broker.polls > 0, "asked without end"
        for partition, position in self._positions.items():
            written = self._broker.records.get(partition, [])
            if position < len(written):
                self._positions[partition] += 1
                return written[position]
        threading.Event().wait(min(timeout, 0.002))
        return None

    def consume(self, limit: int, timeout: float) -> list[Message]:
        found: list[Message] = []
        while len(found) < limit and (message := self.poll(timeout)) is not None:
            found.append(message)
        return found

    def close(self) -> None:
        self._positions = {}

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the gateway's readers do not use {name}")
