"""How far the table is behind the topic, in records. Beside `loader`.

Against the last stable offset, which is as far as a read_committed reader can get. Markers at a partition's end are
not lag: the source steps over them.
"""

from __future__ import annotations

import time
from concurrent.futures import Future

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ListOffsetsResultInfo, OffsetSpec  # type: ignore[attr-defined]

from headrace.core.documents import LoaderDocument
from headrace_apps.loader.metrics import LoaderMetrics
from headrace_apps.loader.source import Source
from headrace_apps.loader.topic import client_config

EVERY_SECONDS = 1.0


class LagWatch:
    """Asks for the ends without waiting, and takes the answers at a later `update`."""

    def __init__(self, document: LoaderDocument, source: Source, metrics: LoaderMetrics) -> None:
        self._topic = document.topic.kafka_topic
        self._source = source
        self._metrics = metrics
        self._admin = AdminClient(client_config(document.kafka))
        self._asked: dict[TopicPartition, Future[ListOffsetsResultInfo]] = {}
        self._ends: dict[int, int] = {}
        self._asked_at = float("-inf")

    def update(self) -> None:
        """Cheap; at most one request a second."""
        if self._asked and all(answer.done() for answer in self._asked.values()):
            self._take_answers()
            assigned = self._source.assigned
            self._metrics.set_lag(
                {p: max(self._ends[p] - self._source.position(p), 0) for p in assigned if p in self._ends}
            )
        now = time.monotonic()
        if not self._asked and now - self._asked_at >= EVERY_SECONDS and self._source.assigned:
            self._asked_at = now
            latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
            wanted = {TopicPartition(self._topic, p): latest for p in self._source.assigned}
            self._asked = self._admin.list_offsets(wanted, isolation_level=IsolationLevel.READ_COMMITTED)

    def _take_answers(self) -> None:
        for partition, answer in self._asked.items():
            try:
                self._ends[partition.partition] = answer.result().offset
            except KafkaException:
                continue  # the next second's answer will do
        self._asked = {}
