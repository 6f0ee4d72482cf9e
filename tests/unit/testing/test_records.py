"""Events as records: the key, the time and the bytes that the gateway would have written, and rows back."""

from __future__ import annotations

import pytest

from headrace.core.pipeline import Pipeline
from headrace.core.plan import plan
from headrace.local.offline import NOWHERE
from headrace.testing.cases import Event
from headrace.testing.records import FIRST_MS, Record, TopicRecords, letter_of


@pytest.fixture
def topics(shop: Pipeline) -> dict[str, TopicRecords]:
    schemas = {topic.name: topic.schema_ for topic in plan(shop, NOWHERE).gateway.document.topics}
    return {topic.name: TopicRecords(topic, schemas[topic.name], None) for topic in shop.topics}


def test_key_and_time_come_from_the_event(topics: dict[str, TopicRecords]) -> None:
    value = {"order_id": "o1", "customer": "ann", "at": "1970-01-01T00:00:05Z"}
    (record,) = topics["orders"].records([Event(value)])
    assert record == Record(b"ann", b'{"order_id":"o1","customer":"ann","at":"1970-01-01T00:00:05Z"}', (), 5000)


def test_what_is_said_wins_and_what_is_missing_has_a_fixed_time(topics: dict[str, TopicRecords]) -> None:
    said, raw, unkeyed = topics["orders"].records(
        [Event({"customer": "ann"}, key=b"bob", time_ms=7), Event(raw=b"{"), Event({"order_id": "o1"})]
    )
    assert (said.key, said.time_ms) == (b"bob", 7)
    assert (raw.key, raw.value, raw.time_ms) == (None, b"{", FIRST_MS + 1)
    assert (unkeyed.key, unkeyed.time_ms) == (None, FIRST_MS + 2)


def test_a_compacted_topic_is_its_newest_row_per_key(topics: dict[str, TopicRecords]) -> None:
    def version(key: bytes, value: bytes | None) -> Record:
        return Record(key, value)

    records = [
        version(b"ann", b'{"customer": "ann", "orders": 1}'),
        version(b"bob", b'{"customer": "bob", "orders": 1}'),
        version(b"ann", b'{"customer": "ann", "orders": 2}'),
        version(b"bob", None),
    ]
    assert topics["customers"].rows(records) == [{"customer": "ann", "orders": 2}]
    assert len(topics["big"].rows(records)) == 4


def test_a_value_that_cannot_be_read_is_shown_as_such(topics: dict[str, TopicRecords]) -> None:
    (row,) = topics["big"].rows([Record(None, b"{")])
    assert "not JSON" in row["$unreadable"]


def test_a_dead_letter_is_read_with_the_schema_of_its_topic(topics: dict[str, TopicRecords]) -> None:
    headers = {
        "headrace.dlq.stage": "job/big",
        "headrace.dlq.reason": "Late",
        "headrace.dlq.error": "too late",
        "headrace.dlq.topic": "shop.orders",
    }
    record = Record(b"ann", b'{"order_id": "o9"}', tuple((name, value.encode()) for name, value in headers.items()))
    letter = letter_of(record, {"shop.orders": topics["orders"]})
    assert (letter.reason, letter.topic, letter.job, letter.id) == ("Late", "orders", "big", "o9")
