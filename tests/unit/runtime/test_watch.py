"""The watch over a topic goes on whatever an answer is, and an answer that does not come is an outage."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any

import pytest
from confluent_kafka import TopicPartition

from headrace_apps.runtime import BrokerTopic, OutageError, watch
from headrace_apps.runtime.client import BROKER_SECONDS
from headrace_apps.runtime.watch import TopicWatch


class Admin:
    """Never answers about offsets."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def list_offsets(self, wanted: dict[TopicPartition, Any], *, request_timeout: float, **_: Any) -> Any:
        self.seconds = request_timeout
        return {at: Future[Any]() for at in wanted}


def test_an_answer_that_does_not_come_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    admin = Admin()
    assert watch.ANSWER_SECONDS > BROKER_SECONDS, "the request ends first, and says why"
    monkeypatch.setattr(watch, "AdminClient", lambda _: admin)
    monkeypatch.setattr(watch, "ANSWER_SECONDS", 0)
    with pytest.raises(OutageError, match="no answer within 0 s about the offsets of t"):
        BrokerTopic({}, "t").ends([0])
    assert admin.seconds == BROKER_SECONDS


class Failing:
    """Fails in one way after the other, then answers."""

    def __init__(self, *faults: Exception) -> None:
        self.faults = list(faults)

    def partitions(self) -> list[int]:
        if self.faults:
            raise self.faults.pop(0)
        return [0]

    def begins(self, partitions: Iterable[int]) -> dict[int, int]:
        return dict.fromkeys(partitions, 0)

    def ends(self, partitions: Iterable[int]) -> dict[int, int]:
        return dict.fromkeys(partitions, 7)


def test_no_answer_of_whatever_kind_ends_the_watch(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watch, "EVERY_SECONDS", 0)
    topic = Failing(OutageError("away"), TimeoutError(), RuntimeError("nobody thought of this"))
    watched = TopicWatch(topic, lambda: 1.0)
    watched.start()
    while watched.seen is None and watched._thread.is_alive():
        watched._thread.join(0.01)
    watched.close()
    watched._thread.join(20)
    assert watched.seen is not None
    assert watched.seen.ends == {0: 7}
    assert [record.exc_text is not None for record in caplog.records] == [True]
