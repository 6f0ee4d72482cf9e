"""Replicas come and go, one is killed while partitions move, and the topic grows: each record is in the table once."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions
from tests.integration.loader.loader_harness import PARTITIONS, LoaderRun, Topic, Warehouse, event, eventually, repeated

pytestmark = pytest.mark.integration

Start = Callable[..., LoaderRun]
MORE = 2 * PARTITIONS


class Traffic:
    """Events as long as it runs, over all partitions that there are; every fiftieth is none."""

    def __init__(self, topic: Topic) -> None:
        self._topic = topic
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.sent = 0
        self.partitions = PARTITIONS

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)
        self._topic.send_bytes("last", _value(self.sent))
        self.sent += 1

    def grow(self) -> None:
        """To the partitions that there are by now."""
        producer = self._topic.producer
        eventually(
            "the new partitions",
            lambda: len(producer.list_topics(self._topic.name).topics[self._topic.name].partitions) == MORE,
        )
        self.partitions = MORE

    def _run(self) -> None:
        while not self._stop.wait(0.05):  # some hundred a second: enough that each batch has some
            for _ in range(20):
                partition = self.sent % self.partitions
                self._topic.send_bytes(f"u{partition}", _value(self.sent), flush=False, partition=partition)
                self.sent += 1


def _value(number: int) -> bytes:
    return b"not json" if number % 50 == 49 else json.dumps(event(number)).encode()


def partitions_of(loader: LoaderRun) -> set[str]:
    prefix = "headrace_consumer_lag_records{"
    return {name.split('partition="')[1].split('"')[0] for name in loader.metrics() if name.startswith(prefix)}


def test_replicas_and_partitions_come_and_go_under_load_and_nothing_is_lost_or_repeated(
    topic: Topic, warehouse: Warehouse, start_loader: Start
) -> None:
    document = topic.document(warehouse, "SCALED", batch={"max_rows": 500, "max_ms": 100})
    with Traffic(topic) as traffic:
        first = start_loader(document)
        first.wait_read(100)
        second = start_loader(document)
        eventually("two share the partitions", lambda: partitions_of(second) and partitions_of(first))
        # The third makes the group move partitions once more, and in the midst of that the second dies.
        third = start_loader(document)
        eventually("the third is about to join", lambda: "reads" in third.log or third.metrics())
        second.kill()
        admin = AdminClient({"bootstrap.servers": topic.bootstrap})
        admin.create_partitions([NewPartitions(topic.name, MORE)])[topic.name].result(30)
        traffic.grow()
        everything = {str(partition) for partition in range(MORE)}
        eventually(
            "the two that live read the new partitions too",
            lambda: partitions_of(first) | partitions_of(third) == everything,
        )
        third.wait_read(100)
        assert third.terminate() == 0
        eventually("one reads them all", lambda: partitions_of(first) == everything)
    expected = {(m.partition(), m.offset()): m.value() for m in topic.records()}
    assert len(expected) >= traffic.sent
    rows = sum(value != b"not json" for value in expected.values())
    eventually(f"all {rows} rows are there; {first.log[-1500:]}", lambda: warehouse.count("SCALED") >= rows)
    eventually("no lag is left", lambda: sum(first.metrics().get(name, 1) for name in lag_series()) == 0)
    assert first.terminate() == 0
    loaded = warehouse.rows("SCALED", "EVENT_ID, _PARTITION, _OFFSET")
    assert repeated(row[0] for row in loaded) == []
    assert {(row[1], row[2]) for row in loaded} == {at for at, value in expected.items() if value != b"not json"}
    letters = {
        (int(headers["headrace.dlq.partition"]), int(headers["headrace.dlq.offset"]))
        for _, _, headers in topic.dead_letters()
    }
    assert letters == {at for at, value in expected.items() if value == b"not json"}


def lag_series() -> list[str]:
    return [f'headrace_consumer_lag_records{{consumer="events",partition="{p}"}}' for p in range(MORE)]
