"""Kafka's own id of a topic: a topic that was deleted and created again has another. Used by `loader`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from confluent_kafka import TopicCollection
from confluent_kafka.admin import AdminClient

BROKER_SECONDS = 10


def client_config(kafka: Mapping[str, str]) -> dict[str, Any]:
    """The document's settings, and quiet: librdkafka writes a line for every connection that fails, many a second
    while a broker is away. The source says once what it waits for."""
    return {"log_level": 2, **kafka}


def fetch_topic_id(kafka: Mapping[str, str], topic: str) -> str:
    """The id as text. Raises KafkaException when the broker does not answer or has no such topic."""
    admin = AdminClient(client_config(kafka))  # held until the answer is there: its end ends the request
    described = admin.describe_topics(TopicCollection([topic]), request_timeout=BROKER_SECONDS)
    return str(described[topic].result().topic_id)
