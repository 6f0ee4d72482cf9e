"""`tail` and `explain` on a real broker: records and letters as a user sees them, and what became of one event."""

from __future__ import annotations

import json

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from headrace.core.dead_letter import Reason
from headrace.core.documents import JobDocument

from ..dead_letters.conftest import DEADLINE, Shop

pytestmark = pytest.mark.integration

SOURCE = """CREATE TEMPORARY TABLE `__source_orders` (
  `id` STRING
) WITH (
  'connector' = 'headrace',
  'topic' = '{topic}',
  'properties.group.id' = '{group}',
  'headrace.late.rule' = 'none',
  'headrace.id.field' = 'id',
  'headrace.id.window' = '3600000 ms'
)"""
LETTERS = "INSERT INTO `__dead_letters` SELECT `_key` FROM `__source_orders` WHERE `_outcome` IN ('malformed', 'late')"


def order(identity: str, **more: object) -> bytes:
    return json.dumps({"id": identity, "user": "ann", **more}).encode()


def store(shop: Shop, *values: bytes | None) -> None:
    """In partition 0, one after the other."""
    producer = Producer(shop.kafka)
    for value in values:
        producer.produce(shop.orders, value, b"ann", 0)
    assert producer.flush(DEADLINE) == 0


def run_job(shop: Shop, position: int) -> None:
    """A job `count` over the orders, as far as `position` of partition 0."""
    group = f"{shop.name}.count"
    statements = (SOURCE.format(topic=shop.orders, group=group),)
    document = JobDocument(name=group, parallelism=1, config={}, statements=statements, inserts=(LETTERS,))
    (shop.state / "documents" / f"job-{group}.json").write_text(document.to_json())
    consumer = Consumer({**shop.kafka, "group.id": group})
    consumer.commit(offsets=[TopicPartition(shop.orders, 0, position)], asynchronous=False)
    consumer.close()


def test_records_are_shown_decoded_newest_last(shop: Shop) -> None:
    store(shop, *(order(f"e{n}") for n in range(12)), b"broken", None)
    code, out, _ = shop.headrace("tail", "orders")
    lines = out.splitlines()
    assert (code, len(lines)) == (0, 10)
    assert lines[0].endswith('0-4  ann  {"id": "e4", "user": "ann"}')
    assert "broken   (the value is not JSON" in lines[-2]
    assert lines[-1].endswith("0-13  ann  (deleted)")
    shown = [
        json.loads(line) for line in shop.headrace("tail", "orders", "--from", "beginning", "--json")[1].splitlines()
    ]
    assert [entry["offset"] for entry in shown] == list(range(14))
    assert shown[3]["value"] == {"id": "e3", "user": "ann"}
    assert shown[12]["bytes"] == "broken"
    followed = shop.headrace("tail", "orders", "-f", "--from", "beginning", "-n", "3")[1]
    assert len(followed.splitlines()) == 3
    assert "holds no such records" in shop.headrace("tail", "orders", "--from", "end")[2]


def test_letters_are_shown_with_why_and_what_became_of_them(shop: Shop) -> None:
    shop.dead_letter([order("e1")])
    assert shop.run("redrive", "--every")[0] == 0
    letter, resolution = shop.headrace("tail", "dlq")[1].splitlines()
    assert f"Late at job/count ({shop.orders}-0-0): as the test wants it" in letter
    assert f"letter 0-0 was redriven as {shop.orders}-" in resolution


def test_an_event_is_explained_through_its_copies_jobs_and_letters(shop: Shop) -> None:
    store(shop, order("e1"), order("e1"), order("other"), order("e1"))
    run_job(shop, 3)
    code, out, err = shop.headrace("explain", "e1")
    assert code == 0, err
    assert "orders: record 0-0 of" in out
    assert "job count: used" in out
    assert "job count: duplicate (the same id came before, as orders 0-0)" in out
    assert "job count: not read yet (the job's newest checkpoint is at 0-3)" in out
    assert "(looked at records since" in out
    shop.dead_letter([order("e1")], reason=Reason.MALFORMED)  # about offset 0 of partition 0
    assert shop.run("redrive", "--every")[0] == 0
    out = shop.headrace("explain", "e1")[1]
    assert "job count: malformed (as the test wants it)" in out
    assert f"redriven as {shop.orders}-" in out
    assert "sent again from dead letter 0-0, attempt 2" in out


def test_what_the_gateway_refused_is_explained_by_its_letter_and_what_is_nowhere_is_said(shop: Shop) -> None:
    shop.dead_letter([order("e7", amount=-1), b'{"id": "e8", broken'], "gateway", Reason.SCHEMA_INVALID)
    for event in ("e7", "e8"):
        code, out, _ = shop.headrace("explain", event)
        assert code == 0
        assert "refused by the gateway" in out
    code, out, _ = shop.headrace("explain", "e9")
    assert code == 1
    assert "not found: no record with this id, and no dead letter that holds it" in out
