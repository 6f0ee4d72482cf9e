"""The fixtures' broker: topics made, records put in, and everything read back. Blocking; called in threads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from headrace.local.errors import PartError
from headrace.testing.records import Record

SECONDS = 30.0


class Bus:
    """Each topic has one partition: what was given first is read first."""

    def __init__(self, bootstrap: str) -> None:
        self._settings: dict[str, Any] = {"bootstrap.servers": bootstrap, "log_level": 0}
        self._admin = AdminClient(self._settings)
        # Idempotent: a retry must neither repeat a record nor overtake the one before it.
        self._producer = Producer({**self._settings, "enable.idempotence": True, "linger.ms": 0})

    def create(self, names: Iterable[str]) -> None:
        """Raises PartError."""
        made = self._admin.create_topics([NewTopic(name, 1, 1) for name in names], request_timeout=SECONDS)
        try:
            for future in made.values():
                future.result(SECONDS)
        except KafkaException as error:
            raise PartError(f"the fixtures' broker makes no topic: {error}") from error

    def send(self, records: Mapping[str, Sequence[Record]]) -> None:
        """All of them, in their order within a topic. Raises PartError."""
        refused: list[str] = []

        def told(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                refused.append(error.str())

        for name, batch in records.items():
            for record in batch:
                headers: list[tuple[str, str | bytes | None]] = list(record.headers)
                self._producer.produce(
                    name, record.value, record.key, 0, timestamp=record.time_ms, headers=headers, on_delivery=told
                )
        if self._producer.flush(SECONDS) or refused:
            why = f": {refused[0]}" if refused else ""
            raise PartError(f"the fixtures' broker does not take the events{why}")

    def read(self, names: Sequence[str]) -> dict[str, list[Record]]:
        """Everything that is committed in these topics. Raises PartError."""
        consumer = Consumer(
            {
                **self._settings,
                "group.id": "headrace-test",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 10,
            }
        )
        found: dict[str, list[Record]] = {name: [] for name in names}
        open_topics = set(names)
        try:
            consumer.assign([TopicPartition(name, 0, 0) for name in names])
            while open_topics:
                message = consumer.poll(SECONDS)
                if message is None:
                    raise PartError(f"the fixtures' broker gives nothing of {', '.join(sorted(open_topics))}")
                topic = str(message.topic())
                if message.error():  # the end of the partition
                    open_topics.discard(topic)
                else:
                    found[topic].append(
                        Record(message.key(), message.value(), _headers(message), message.timestamp()[1])
                    )
        finally:
            consumer.close()
        return found


def _headers(message: Message) -> tuple[tuple[str, bytes], ...]:
    headers: Any = message.headers() or ()
    return tuple((name, value or b"") for name, value in headers)
