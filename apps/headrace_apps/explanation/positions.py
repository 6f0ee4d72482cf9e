"""How far consumer groups are, as committed to Kafka: a Flink job commits with each checkpoint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing

from confluent_kafka import Consumer, KafkaException, TopicPartition

from headrace_apps.inspection.scan import BROKER_SECONDS, UnreadableError


def fetch_positions(
    kafka: Mapping[str, str], group: str, places: Iterable[tuple[str, int]]
) -> dict[tuple[str, int], int | None]:
    """The next offset of each (topic, partition); None without one. Raises UnreadableError."""
    wanted = [TopicPartition(topic, partition) for topic, partition in sorted(set(places))]
    if not wanted:
        return {}
    # Not joined: asking for a group's offsets disturbs nobody.
    with closing(Consumer({"log_level": 2, **kafka, "group.id": group, "enable.auto.commit": False})) as consumer:
        try:
            found = consumer.committed(wanted, timeout=BROKER_SECONDS)
        except KafkaException as error:
            raise UnreadableError(f"the position of {group} cannot be read: {error.args[0].str()}") from error
    return {(at.topic, at.partition): at.offset if at.offset >= 0 else None for at in found}
