"""When the batch in hand is due, and which partitions it tells of; over a consumer of the test's own."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import TopicPartition

from headrace.core.documents import Batch, LoaderDocument, LoaderTopic, SnowflakeConnection, Table
from headrace_apps.loader import source as source_module
from headrace_apps.loader.source import BYTES_IN_HAND, Source


def document(max_rows: int) -> LoaderDocument:
    return LoaderDocument(
        pipeline="p",
        sink="s",
        kafka={},
        group_id="p.s",
        dead_letter_topic="p.dead-letters",
        topic=LoaderTopic(name="t", kafka_topic="p.t", compacted=False, key_fields=()),
        table=Table(database="DB", schema_="RAW", name="T"),
        columns=(),
        fields=(),
        batch=Batch(max_rows=max_rows, max_ms=3_600_000),
        snowflake=SnowflakeConnection(account="a", user="u"),
    )


class FakeMessage:
    def __init__(self, partition: int, offset: int, value: bytes | None) -> None:
        self._partition, self._offset, self._value = partition, offset, value

    def error(self) -> None:
        return None

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return self._offset

    def key(self) -> None:
        return None

    def value(self) -> bytes | None:
        return self._value

    def headers(self) -> None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return (1, 0)


class FakeConsumer:
    """Gives out `log`, as much as is asked for, and takes the assignment calls."""

    def __init__(self, log: list[FakeMessage]) -> None:
        self.log = log
        self.calls: dict[str, Any] = {}

    def subscribe(self, _: list[str], **calls: Any) -> None:
        self.calls = calls

    def consume(self, count: int, _: float) -> list[FakeMessage]:
        taken, self.log = self.log[:count], self.log[count:]
        return taken

    def incremental_assign(self, _: list[TopicPartition]) -> None: ...

    def incremental_unassign(self, _: list[TopicPartition]) -> None: ...

    def seek(self, _: TopicPartition) -> None: ...


def source_over(monkeypatch: pytest.MonkeyPatch, *log: FakeMessage) -> tuple[Source, FakeConsumer]:
    """A source of partitions 0 and 1, both from offset 0, that has polled once."""
    consumer = FakeConsumer(list(log))
    monkeypatch.setattr(source_module, "Consumer", lambda _: consumer)
    source = Source(document(max_rows=1000), lambda partitions: dict.fromkeys(partitions, 0))
    source.open()
    consumer.calls["on_assign"](consumer, [TopicPartition("p.t", 0), TopicPartition("p.t", 1)])
    source.poll()
    return source, consumer


HALF = b" " * (BYTES_IN_HAND // 2)


def test_a_batch_is_due_when_its_values_fill_the_memory_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    source, consumer = source_over(monkeypatch, FakeMessage(0, 0, HALF), FakeMessage(1, 0, None))
    assert not source.due
    consumer.log = [FakeMessage(0, 1, HALF)]
    source.poll()
    assert source.due
    consumer.log = [FakeMessage(0, 2, b"one more")]
    source.poll()
    assert len(consumer.log) == 1, "a batch that is due takes nothing more"
    assert len(source.take()[0]) == 3
    source.poll()
    assert not source.due


def test_what_was_dropped_or_taken_away_does_not_make_a_batch_due(monkeypatch: pytest.MonkeyPatch) -> None:
    source, consumer = source_over(monkeypatch, FakeMessage(0, 0, HALF), FakeMessage(1, 0, b"small"))
    consumer.calls["on_revoke"](consumer, [TopicPartition("p.t", 0)])
    consumer.log = [FakeMessage(1, 1, HALF)]
    source.poll()
    assert not source.due
    source.rewind()
    consumer.log = [FakeMessage(1, 0, HALF)]
    source.poll()
    assert not source.due
