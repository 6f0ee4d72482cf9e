"""Kafka's own id of a topic: a topic that was deleted and created again has another. Used by `loader`."""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka import TopicCollection
from confluent_kafka.admin import AdminClient

BROKER_SECONDS = 10


def fetch_topic_id(kafka: Mapping[str, str], topic: str) -> str:
    """The id as text. Raises KafkaException when the broker does not answer or has no such topic."""
    admin = AdminClient(dict(kafka))  # held until the answer is there: its end ends the request
    described = admin.describe_topics(TopicCollection([topic]), request_timeout=BROKER_SECONDS)
    return str(described[topic].result().topic_id)
