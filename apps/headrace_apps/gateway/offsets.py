"""Where a read begins: earliest, latest or a time into an offset per partition, asked of the broker in one request.

`latest` is the last stable offset: what a read_committed reader can reach. Blocks; run it in the readers' threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec  # re-exported, but not for type checkers

from headrace_apps.gateway.problems import Problem


def connection_config(kafka: Mapping[str, str]) -> dict[str, Any]:
    """librdkafka's settings that every client of the gateway shares."""
    return {"socket.keepalive.enable": True, "reconnect.backoff.max.ms": 1000, **kafka}


def unreachable(cause: object) -> Problem:
    detail = f"Kafka does not answer: {cause}. Try again."
    return Problem(503, "kafka-unreachable", detail, headers={"Retry-After": "5"})


class BrokerOffsets:
    """Asks the broker; raises Problem 503 when it does not answer within `timeout` seconds."""

    def __init__(self, admin: AdminClient, timeout: float) -> None:
        self._admin = admin
        self._timeout = timeout

    def earliest(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        return self._ask(topic, partitions, OffsetSpec.earliest())  # type: ignore[no-untyped-call]

    def latest(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        return self._ask(topic, partitions, OffsetSpec.latest())  # type: ignore[no-untyped-call]

    def at(self, topic: str, partitions: Iterable[int], millis: int) -> dict[int, int]:
        """The first record at or after the time; where there is none, the end."""
        found = self._ask(topic, partitions, OffsetSpec.for_timestamp(millis))
        if any(offset < 0 for offset in found.values()):
            ends = self.latest(topic, found)
            found = {p: offset if offset >= 0 else ends[p] for p, offset in found.items()}
        return found

    def _ask(self, topic: str, partitions: Iterable[int], spec: OffsetSpec) -> dict[int, int]:
        wanted = {TopicPartition(topic, p): spec for p in partitions}
        try:
            try:
                return self._list(wanted)
            except KafkaException:
                # After a broker came back librdkafka goes on asking with the leader epoch of before, and is refused
                # for ever (FENCED_LEADER_EPOCH): only an explicit metadata request tells it the new one.
                self._admin.list_topics(topic, timeout=self._timeout)
                return self._list(wanted)
        except (KafkaException, TimeoutError) as exc:
            raise unreachable(exc.args[0] if exc.args else "no answer in time") from exc

    def _list(self, wanted: Mapping[TopicPartition, OffsetSpec]) -> dict[int, int]:
        futures = self._admin.list_offsets(
            dict(wanted), isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=self._timeout
        )
        return {tp.partition: int(future.result(self._timeout).offset) for tp, future in futures.items()}
