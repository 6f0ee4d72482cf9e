"""Every record of the topic is in the table once, with its outcome counted, whatever is killed when."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable
from functools import partial

import pytest
from tests.integration.loader.loader_harness import PARTITIONS, LoaderRun, Topic, Warehouse, event, eventually, repeated

pytestmark = pytest.mark.integration

Start = Callable[..., LoaderRun]


def _json(number: int) -> bytes:
    return json.dumps(event(number, user=f"u{number % 5}")).encode()


def _more_than(warehouse: Warehouse, already: int) -> bool:
    return warehouse.count("KILLED") > already


def test_rows_arrive_with_where_they_came_from(topic: Topic, warehouse: Warehouse, start_loader: Start) -> None:
    topic.send(*(event(n, user=f"u{n % 7}") for n in range(50)))
    loader = start_loader(topic.document(warehouse, "ARRIVE"))
    assert loader.wait_read(50) == {"read": 50, "loaded": 50, "duplicate": 0, "dead_lettered": 0}
    columns = 'EVENT_ID, "USER", N, "AT", _TOPIC, _PARTITION, _OFFSET, _EVENT_TIME'
    rows = warehouse.rows("ARRIVE", columns, "ORDER BY N")
    assert [row[:3] for row in rows] == [(f"e{n}", f"u{n % 7}", n) for n in range(50)]
    sent = {(m.partition(), m.offset()) for m in topic.records()}
    assert {(row[5], row[6]) for row in rows} == sent
    assert {row[4] for row in rows} == {topic.name}
    assert {str(row[7]) for row in rows} == {"2026-11-22 10:00:00"}


def test_a_commit_tells_its_time_for_the_quiet_partitions_too(
    topic: Topic, warehouse: Warehouse, start_loader: Start
) -> None:
    """A new loader looks for letters from the earliest of these times on."""
    topic.send(event(1))
    loader = start_loader(topic.document(warehouse, "QUIET"))
    loader.wait_read(1)
    columns, ours = '"PARTITION", "UPDATED_AT", "NEXT_OFFSET"', f"WHERE \"TOPIC\" = '{topic.name}' ORDER BY 1"
    before = warehouse.rows("_HEADRACE_OFFSETS", columns, ours)
    topic.send(event(2))
    loader.wait_read(2)
    after = warehouse.rows("_HEADRACE_OFFSETS", columns, ours)
    assert len(before) == len(after) == PARTITIONS
    assert min(row[1] for row in after) > max(row[1] for row in before)
    assert sorted(row[2] for row in after) == [0, 0, 2]


def test_an_id_is_loaded_once_within_its_window(topic: Topic, warehouse: Warehouse, start_loader: Start) -> None:
    topic.send(event(1), event(2), event(1))
    loader = start_loader(topic.document(warehouse, "REPEATS"))
    assert loader.wait_read(3) == {"read": 3, "loaded": 2, "duplicate": 1, "dead_lettered": 0}
    topic.send(event(1, at="2026-11-22T11:00:00Z"), event(2, at="2026-11-22T11:00:00.001Z"), event(3))
    assert loader.wait_read(6) == {"read": 6, "loaded": 4, "duplicate": 2, "dead_lettered": 0}
    rows = warehouse.rows("REPEATS", 'EVENT_ID, "AT"', 'ORDER BY "AT", EVENT_ID')
    assert [(row[0], row[1].hour) for row in rows] == [("e1", 10), ("e2", 10), ("e3", 10), ("e2", 11)]


def test_a_compacted_topic_keeps_the_latest_row_per_key(
    compacted: Topic, warehouse: Warehouse, start_loader: Start
) -> None:
    compacted.send(event(1, user="a"), event(2, user="b"), event(3, user="a"), event(4, user="c"))
    loader = start_loader(compacted.document(warehouse, "LATEST"))
    assert loader.wait_read(4)["loaded"] == 4
    assert warehouse.rows("LATEST", '"USER", N', 'ORDER BY "USER"') == [("a", 3), ("b", 2), ("c", 4)]
    compacted.send(event(5, user="b"))
    compacted.send_bytes("a", None)
    compacted.send_bytes("never-seen", None)
    assert loader.wait_read(7) == {"read": 7, "loaded": 7, "duplicate": 0, "dead_lettered": 0}
    assert warehouse.rows("LATEST", '"USER", N', 'ORDER BY "USER"') == [("b", 5), ("c", 4)]


def test_records_read_again_change_nothing(compacted: Topic, warehouse: Warehouse, start_loader: Start) -> None:
    compacted.send(event(1, user="a"), event(2, user="a"), event(3, user="b"))
    loader = start_loader(compacted.document(warehouse, "AGAIN"))
    loader.wait_read(3)
    loader.terminate()
    offsets = warehouse.name("_HEADRACE_OFFSETS")
    warehouse.run(f'UPDATE {offsets} SET "NEXT_OFFSET" = 0 WHERE "TOPIC" = \'{compacted.name}\'')
    loader.start()
    assert loader.wait_read(3)["duplicate"] == 3
    assert warehouse.rows("AGAIN", '"USER", N', 'ORDER BY "USER"') == [("a", 2), ("b", 3)]


def test_unloadable_records_go_to_the_dead_letters(topic: Topic, warehouse: Warehouse, start_loader: Start) -> None:
    topic.send(event(1))
    topic.send_bytes("u1", b'{"event_id": 7}', headers=[("trace", b"abc")])
    topic.send_bytes("u1", b"\xff\xfe")
    topic.send_bytes("u1", None)
    loader = start_loader(topic.document(warehouse, "UNLOADABLE"))
    assert loader.wait_read(4) == {"read": 4, "loaded": 1, "duplicate": 0, "dead_lettered": 3}
    letters = topic.dead_letters()
    assert [value for _, value, _ in letters] == [b'{"event_id": 7}', b"\xff\xfe", None]
    key, _, headers = letters[0]
    assert key == b"u1"
    assert headers["trace"] == "abc"
    assert headers["headrace.dlq.stage"] == "sink/events"
    assert headers["headrace.dlq.reason"] == "Unloadable"
    assert headers["headrace.dlq.error"] == "field event_id is a number, a string was expected"
    assert headers["headrace.dlq.topic"] == topic.name
    assert headers["headrace.dlq.offset"] == "1"


def test_a_loader_killed_at_random_moments_loses_and_repeats_nothing(
    topic: Topic, warehouse: Warehouse, start_loader: Start
) -> None:
    rng = random.Random(20261122)
    sent = 0
    # Small batches, so that a kill meets every moment of one.
    loader = start_loader(topic.document(warehouse, "KILLED", batch={"max_rows": 25, "max_ms": 50}))
    for _ in range(4):
        for _ in range(250):
            topic.send_bytes(f"u{sent % 5}", b"not json" if rng.random() < 0.05 else _json(sent), flush=False)
            sent += 1
        topic.send_bytes("u0", b"not json")
        already = warehouse.count("KILLED")
        eventually("the loader gets on", partial(_more_than, warehouse, already))
        threading.Event().wait(rng.random() * 0.5)  # not for anything to happen: the moment of the kill
        loader.kill()
        loader.start()
    expected = {(m.partition(), m.offset()): m.value() for m in topic.records()}
    rows = sum(1 for value in expected.values() if value != b"not json")
    eventually(
        f"all {rows} rows are there; {loader.log[-1500:]}", lambda: warehouse.count("KILLED") >= rows, seconds=120
    )
    assert loader.terminate() == 0
    loaded = warehouse.rows("KILLED", "EVENT_ID, _PARTITION, _OFFSET")
    assert repeated(row[0] for row in loaded) == []
    assert {(row[1], row[2]) for row in loaded} == {at for at, value in expected.items() if value != b"not json"}
    letters = [
        (int(headers["headrace.dlq.partition"]), int(headers["headrace.dlq.offset"]))
        for _, _, headers in topic.dead_letters()
    ]
    assert set(letters) == {at for at, value in expected.items() if value == b"not json"}
    assert repeated(letters) == []
