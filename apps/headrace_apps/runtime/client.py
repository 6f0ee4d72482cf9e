"""Settings of the runtime's Kafka clients, and the id that tells a topic from one of the same name before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaError, TopicCollection
from confluent_kafka.admin import AdminClient

BROKER_SECONDS = 10
LARGEST_RECORD_BYTES = 16 * 1024 * 1024
"""Of a dead letter, as `message.max.bytes`. A letter is a record that a topic took, and its envelope. librdkafka's own
limit is 1,000,000 bytes whatever the brokers take; with this one it is the topic that decides."""
TOO_LARGE = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE})
"""What Kafka says of a record that it will never take: no outage, though it comes as a KafkaException."""


def client_config(kafka: Mapping[str, str]) -> dict[str, Any]:
    """The document's settings, and quiet: librdkafka writes a line for every connection that fails, many a second
    while a broker is away. The runtime says once what it waits for."""
    return {"log_level": 2, "reconnect.backoff.max.ms": 1000, **kafka}


def consumer_config(kafka: Mapping[str, str], group: str | None, member: str | None) -> dict[str, Any]:
    """`group` None: a reader of its own, which joins nothing and commits nothing. `member`: its `group.instance.id`,
    with which it keeps its partitions over a restart that is shorter than the session."""
    config: dict[str, Any] = {
        "auto.offset.reset": "error",  # an offset that is gone is a decision, never a silent skip
        # New partitions are read from this long after: the group's leader sees them at a refresh of its metadata.
        "topic.metadata.refresh.interval.ms": 5_000,
        "fetch.wait.max.ms": 100,
        "fetch.error.backoff.ms": 50,
        "queued.max.messages.kbytes": 32_768,  # what the client fetches ahead; beside the runtime's own room
        **client_config(kafka),
        "group.id": group or "headrace-reader",  # librdkafka wants one
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        # The end of a partition tells a position beyond transaction markers, which no record has.
        "enable.partition.eof": True,
    }
    if group is not None:
        # The least that brokers allow: a killed member's partitions stay with it for so long.
        config = {"session.timeout.ms": 6_000, "heartbeat.interval.ms": 2_000, **config}
        config["partition.assignment.strategy"] = "cooperative-sticky"
        if member is not None:
            config["group.instance.id"] = member
    return config


def fetch_topic_id(kafka: Mapping[str, str], topic: str) -> str:
    """Kafka's own id of the topic, as text. Raises KafkaException when there is no answer or no such topic."""
    admin = AdminClient(client_config(kafka))  # held until the answer is there: its end ends the request
    described = admin.describe_topics(TopicCollection([topic]), request_timeout=BROKER_SECONDS)
    return str(described[topic].result().topic_id)
