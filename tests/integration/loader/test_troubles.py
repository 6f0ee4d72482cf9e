"""What the loader does when something is wrong: it waits, dead-letters, stops with a reason, or leaves it to another."""

from __future__ import annotations

import hashlib
import os
import signal
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from tests.integration.loader.loader_harness import (
    FIELDS,
    PARTITIONS,
    LoaderRun,
    StandInServer,
    Topic,
    Warehouse,
    event,
    eventually,
    hashed,
    make_topics,
    repeated,
)

from headrace.core.columns import BIGINT, STRING, Column
from headrace.core.documents import LoaderDocument, TableColumn, Transform
from headrace_apps.loader.batches import Batch, BatchBuilder
from headrace_apps.loader.layout import plan_layout
from headrace_apps.loader.session import SnowflakeSession
from headrace_apps.loader.sink import FencedError, Loaded, SnowflakeSink
from headrace_apps.runtime import Record, Span

pytestmark = pytest.mark.integration

Start = Callable[..., LoaderRun]


@pytest.fixture
def own_stand_in(stand_in_python: Path, tmp_path: Path) -> Iterator[StandInServer]:
    """A stand-in that a test may kill."""
    server = StandInServer(stand_in_python, tmp_path)
    server.start()
    yield server
    server.kill()


def test_an_outage_of_the_warehouse_is_lag_and_nothing_else(
    topic: Topic, own_stand_in: StandInServer, start_loader: Start
) -> None:
    warehouse = Warehouse(own_stand_in.settings, "HEADRACE", "OUTAGE", real=False)
    topic.send(*(event(n) for n in range(20)))
    loader = start_loader(topic.document(warehouse, "EVENTS"))
    loader.wait_read(20)
    own_stand_in.kill()
    topic.send(*(event(n) for n in range(20, 60)))
    eventually("it says what it waits for", lambda: "waiting to load" in loader.log)
    eventually("it says that it is not ready", lambda: not loader.ready)
    own_stand_in.start()
    assert loader.wait_read(60) == {"read": 60, "loaded": 60, "duplicate": 0, "dead_lettered": 0}
    after = Warehouse(own_stand_in.settings, "HEADRACE", "OUTAGE", real=False)
    assert after.rows("EVENTS", "COUNT(*), COUNT(DISTINCT EVENT_ID)") == [(60, 60)]
    assert topic.dead_letters() == []


def test_the_stand_in_keeps_committed_rows_over_sigterm_and_sigkill(own_stand_in: StandInServer) -> None:
    def warehouse() -> Warehouse:
        return Warehouse(own_stand_in.settings, "HEADRACE", "KEPT", real=False)

    warehouse().run('CREATE TABLE "KEPT"."T" ("N" NUMBER(38,0))')
    stops: list[Callable[[], object]] = [own_stand_in.terminate, own_stand_in.kill, own_stand_in.terminate]
    for number, stop in enumerate(stops):
        writer = warehouse()
        writer.run(f'INSERT INTO "KEPT"."T" SELECT {number}')
        writer.run("BEGIN TRANSACTION")
        writer.run('INSERT INTO "KEPT"."T" SELECT 99')
        stop()
        own_stand_in.start()
        assert warehouse().rows("T", '"N"', 'ORDER BY "N"') == [(n,) for n in range(number + 1)]


def test_sigterm_loads_what_is_in_hand_and_exits_0(topic: Topic, warehouse: Warehouse, start_loader: Start) -> None:
    loader = start_loader(topic.document(warehouse, "STOPPED", batch={"max_rows": 1000, "max_ms": 3_600_000}))
    topic.send(*(event(n) for n in range(30)))
    loader.wait_ready()
    eventually("every record is in hand", lambda: 30.0 in values_of(loader, "headrace_loader_in_hand_records"))
    assert warehouse.count("STOPPED") == 0
    assert loader.terminate() == 0
    assert warehouse.count("STOPPED") == 30


def values_of(loader: LoaderRun, metric: str) -> list[float]:
    return [value for name, value in loader.metrics().items() if name.startswith(metric)]


def lag_seen(loader: LoaderRun) -> float:
    return sum(values_of(loader, "headrace_loader_lag_records"))


def test_rows_that_the_table_refuses_are_found_and_dead_lettered(
    topic: Topic, warehouse: Warehouse, start_loader: Start
) -> None:
    # Three digits before the point, and no room for more: what could be widened would be.
    warehouse.run(f'CREATE TABLE {warehouse.name("NARROW")} ("N" NUMBER(38,35))')
    topic.send(*(event(n * 100) for n in range(13)))  # 1000 to 1200 do not fit
    loader = start_loader(topic.document(warehouse, "NARROW"))
    assert loader.wait_read(13) == {"read": 13, "loaded": 10, "duplicate": 0, "dead_lettered": 3}
    assert sorted(row[0] for row in warehouse.rows("NARROW", "N")) == [n * 100 for n in range(10)]
    errors = [headers["headrace.dlq.error"] for _, _, headers in topic.dead_letters()]
    assert len(errors) == 3
    assert all(error.startswith("the table refuses the row: ") for error in errors)


def test_new_columns_are_added_and_a_wrong_one_is_named(
    topic: Topic, warehouse: Warehouse, start_loader: Start
) -> None:
    topic.send(event(1, extra="x"))
    first = start_loader(topic.document(warehouse, "EVOLVED"))
    first.wait_read(1)
    first.terminate()
    more = (*FIELDS, Column(name="extra", type=STRING))
    second = start_loader(topic.document(warehouse, "EVOLVED", fields=more))
    topic.send(event(2, extra="y"))
    second.wait_read(1)
    second.terminate()
    assert warehouse.rows("EVOLVED", "EVENT_ID, EXTRA", "ORDER BY EVENT_ID") == [("e1", None), ("e2", "y")]
    wrong = (*FIELDS, Column(name="extra", type=BIGINT))
    third = start_loader(topic.document(warehouse, "EVOLVED", fields=wrong))
    assert third.exit_code() == 1
    assert "column EXTRA is VARCHAR" in third.log
    assert "Traceback" not in third.log


def test_transforms_are_applied_and_a_cast_that_fails_is_unloadable(
    topic: Topic, warehouse: Warehouse, start_loader: Start
) -> None:
    plain = topic.document(warehouse, "TRANSFORMED")
    identity, user, number, at = plain.columns
    columns = (
        hashed(identity),
        user.model_copy(update={"name": "MASKED", "transform": Transform(kind="mask", keep_last=2)}),
        TableColumn(name="USER_NO", field="user", type=BIGINT, transform=Transform(kind="cast", to=BIGINT)),
        number,
        at,
    )
    document = LoaderDocument.from_json(plain.model_copy(update={"columns": columns}).to_json())
    topic.send(event(1, user="12345"), event(2, user="12x45"), event(1, user="12345"))
    loader = start_loader(document)
    assert loader.wait_read(3) == {"read": 3, "loaded": 1, "duplicate": 1, "dead_lettered": 1}
    rows = warehouse.rows("TRANSFORMED", "EVENT_ID, MASKED, USER_NO")
    assert rows == [(hashlib.sha256(b"e1").hexdigest(), "***45", 12345)]
    assert [h["headrace.dlq.error"] for _, _, h in topic.dead_letters()] == [
        'column USER_NO: field user cannot be cast to BIGINT: "12x45"'
    ]


def test_a_topic_created_again_stops_the_sink(topic: Topic, warehouse: Warehouse, start_loader: Start) -> None:
    topic.send(event(1))
    document = topic.document(warehouse, "RECREATED")
    loader = start_loader(document)
    loader.wait_read(1)
    loader.terminate()
    admin = AdminClient({"bootstrap.servers": topic.bootstrap})
    admin.delete_topics([topic.name])[topic.name].result(30)
    eventually("it is gone", lambda: topic.name not in admin.list_topics(timeout=10).topics)
    make_topics(topic.bootstrap, NewTopic(topic.name, PARTITIONS, 1))
    loader.start()
    assert loader.exit_code() == 1
    assert "was deleted and created again" in loader.log


def test_records_deleted_before_they_were_loaded_stop_the_sink(
    topic: Topic, warehouse: Warehouse, start_loader: Start
) -> None:
    topic.send(event(1), event(2))
    loader = start_loader(topic.document(warehouse, "DELETED"))
    loader.wait_read(2)
    loader.terminate()
    topic.send(event(3), event(4))
    partition = topic.records()[0].partition()
    admin = AdminClient({"bootstrap.servers": topic.bootstrap})
    wanted = TopicPartition(topic.name, partition, 3)
    admin.delete_records([wanted])[wanted].result(30)
    loader.start()
    assert loader.exit_code() == 1
    assert "offsets 2 to 2 were deleted by retention before they were loaded" in loader.log


def test_transaction_markers_are_not_lag(topic: Topic, warehouse: Warehouse, start_loader: Start) -> None:
    producer = Producer({"bootstrap.servers": topic.bootstrap, "transactional.id": f"{topic.prefix}writer"})
    producer.init_transactions(30)
    for commit in (True, False, True):
        producer.begin_transaction()
        producer.produce(
            topic.name, key="u1", value=b'{"event_id":"%d","user":"u1","at":"2026-11-22T10:00:00Z"}' % commit
        )
        producer.flush(30)
        if commit:
            producer.commit_transaction(30)
        else:
            producer.abort_transaction(30)
    loader = start_loader(topic.document(warehouse, "MARKERS"))
    assert loader.wait_read(2) == {"read": 2, "loaded": 1, "duplicate": 1, "dead_lettered": 0}
    name = "headrace_loader_lag_records"
    eventually("a lag for each partition", lambda: sum(n.startswith(name) for n in loader.metrics()) == PARTITIONS)
    eventually("no lag", lambda: lag_seen(loader) == 0)


def test_two_loaders_share_a_topic_without_repeating_a_row(
    topic: Topic, warehouse: Warehouse, start_loader: Start
) -> None:
    document = topic.document(warehouse, "SHARED", batch={"max_rows": 50, "max_ms": 50})
    topic.send(*(event(n, user=f"u{n}") for n in range(200)))
    first = start_loader(document)
    first.wait_read(50)
    second = start_loader(document)
    topic.send(*(event(n, user=f"u{n}") for n in range(200, 400)))
    second.wait_ready()
    topic.send(*(event(n, user=f"u{n}") for n in range(400, 600)))
    eventually("all are loaded", lambda: warehouse.count("SHARED") >= 600)
    assert first.terminate() == 0
    topic.send(*(event(n, user=f"u{n}") for n in range(600, 700)))
    eventually("the one that is left goes on", lambda: warehouse.count("SHARED") >= 700)
    assert repeated(row[0] for row in warehouse.rows("SHARED", "EVENT_ID")) == []
    assert warehouse.count("SHARED") == 700


def test_a_loader_that_was_paused_and_replaced_repeats_nothing(
    topic: Topic, warehouse: Warehouse, start_loader: Start
) -> None:
    document = topic.document(warehouse, "PAUSED", batch={"max_rows": 20, "max_ms": 50})
    topic.send(*(event(n, user=f"u{n}") for n in range(300)))
    first = start_loader(document)
    first.wait_read(40)
    os.kill(first.pid, signal.SIGSTOP)
    second = start_loader(document)
    eventually("the other takes over", lambda: warehouse.count("PAUSED") >= 300)
    os.kill(first.pid, signal.SIGCONT)
    topic.send(*(event(n, user=f"u{n}") for n in range(300, 400)))
    eventually("all are loaded", lambda: warehouse.count("PAUSED") >= 400)
    assert second.terminate() == 0
    topic.send(*(event(n, user=f"u{n}") for n in range(400, 450)))
    eventually("the first is back", lambda: warehouse.count("PAUSED") >= 450)
    assert first.terminate() == 0
    assert repeated(row[0] for row in warehouse.rows("PAUSED", "EVENT_ID")) == []
    assert {(row[0], row[1]) for row in warehouse.rows("PAUSED", "_PARTITION, _OFFSET")} == {
        (record.partition(), record.offset()) for record in topic.records()
    }


def test_whoever_comes_second_is_fenced_and_loads_nothing(topic: Topic, warehouse: Warehouse) -> None:
    document = topic.document(warehouse, "FENCED")
    sinks = [sink_of(document), sink_of(document)]
    for sink in sinks:
        sink.prepare()
    sinks[0].register_positions({0: 0}, "id")
    batch = batch_of(document, 0, 3)
    assert sinks[0].load(batch) == Loaded(loaded=3, duplicate=0)
    with pytest.raises(FencedError):
        sinks[1].load(batch)
    assert warehouse.count("FENCED") == 3
    # The same batch again, as after a lost answer to COMMIT: found to be committed, not loaded twice.
    assert sinks[0].load(batch) == Loaded(loaded=3, duplicate=0)
    assert warehouse.count("FENCED") == 3
    for sink in sinks:
        sink.disconnect()


def sink_of(document: LoaderDocument) -> SnowflakeSink:
    def connect() -> SnowflakeSession:
        return SnowflakeSession(document.snowflake, document.table.database, "test")

    return SnowflakeSink(document, plan_layout(document), connect, uuid.uuid4)


def batch_of(document: LoaderDocument, start: int, end: int) -> Batch:
    records = [
        Record(0, n, b"u1", b'{"event_id":"%d","user":"u1","at":"2026-11-22T10:00:00Z"}' % n, None, 0)
        for n in range(start, end)
    ]
    return BatchBuilder(document, plan_layout(document)).build(records, {0: Span(start, end)}, 0)
