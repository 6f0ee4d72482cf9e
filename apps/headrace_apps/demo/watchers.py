"""The watchers: a thread per place at which the demo looks from outside, each writing into `Figures`.

A place that is away (its part may just have been killed) is asked again; what was seen stays.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Mapping
from typing import Any, Protocol
from uuid import uuid4

import snowflake.connector
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, TopicPartition

from headrace_apps.demo.api import Api, Away, Unexpected
from headrace_apps.demo.figures import Figures
from headrace_apps.demo.sample import DEAD_LETTERS, Manifest, Sample

AGAIN = 0.5
READ_WAIT = 2.0


class Place(Protocol):
    """Somewhere to look. `look` may block for a second or two; `every` is the pause between looks in seconds."""

    name: str
    every: float

    def look(self, figures: Figures) -> None: ...

    def close(self) -> None: ...


class Watcher(threading.Thread):
    """Looks again and again until `stop`, then closes the place."""

    def __init__(self, place: Place, figures: Figures, stop: threading.Event) -> None:
        super().__init__(name=f"watch-{place.name}", daemon=True)
        self._place = place
        self._figures = figures
        self._stopped = stop

    def run(self) -> None:
        place, figures = self._place, self._figures
        while not self._stopped.is_set():
            try:
                place.look(figures)
                figures.troubles.pop(place.name, None)
                self._stopped.wait(place.every)
            except (Away, Unexpected, KafkaException, snowflake.connector.errors.Error, OSError) as error:
                figures.troubles[place.name] = str(error)
                self._stopped.wait(AGAIN)
        with contextlib.suppress(Exception):
            place.close()


class FollowedOutput:
    """Reads an exactly-once output through the gateway's API, page after page: what is processed, and how fast."""

    every = 0.0

    def __init__(self, api: Api, topic: str, id_field: str | None) -> None:
        self.name = topic
        self._api = api
        self._id_field = id_field
        self._cursor: str | None = None

    def look(self, figures: Figures) -> None:
        page = self._api.read(self.name, self._cursor, wait=READ_WAIT)
        self._cursor = page.cursor
        if self._id_field:
            figures.latencies.seen([event["value"][self._id_field] for event in page.events if event["value"]])
        figures.processed += len(page.events)

    def close(self) -> None:
        self._api.close()


class FirstRow:
    """Asks a view until it has a row: the first aggregate."""

    def __init__(self, api: Api, view: str) -> None:
        self.name = f"view {view}"
        self.every = 0.25
        self._api = api
        self._view = view

    def look(self, figures: Figures) -> None:
        if figures.first_result is None and self._api.view_page(self._view, limit=1).values:
            figures.first_result = time.monotonic()
            self.every = 60.0

    def close(self) -> None:
        self._api.close()


class Topics:
    """Follows what jobs write and the dead letters, and asks for the end of the raw topic, with a stock consumer."""

    name, every = "topics", 0.0

    def __init__(self, sample: Sample, manifest: Manifest, bootstrap: str, all_signs: threading.Event) -> None:
        self._sample = sample
        self._manifest = manifest
        self._all_signs = all_signs
        self._missing = set(sample.signs)
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": f"demo-{uuid4()}",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "reconnect.backoff.max.ms": 1000,
                "log_level": 0,
                "error_cb": lambda _: None,  # an outage shows as a figure that stands still
            }
        )
        self._events: list[TopicPartition] = []

    def look(self, figures: Figures) -> None:
        if not self._events:
            followed = [p for name in (*self._sample.outputs, DEAD_LETTERS) for p in self._partitions(name)]
            self._consumer.assign([TopicPartition(p.topic, p.partition, OFFSET_BEGINNING) for p in followed])
            self._events = self._partitions(self._sample.events)
        for message in self._consumer.consume(500, 0.5):
            if message.error() is None:
                self._count(message, figures)
        try:
            ends = [self._consumer.get_watermark_offsets(p, timeout=2, cached=False) for p in self._events]
        except KafkaException:
            # After a broker came back, only an explicit metadata request tells librdkafka its new leader epoch.
            self._consumer.list_topics(self._manifest.kafka(self._sample.events), timeout=5)
            raise
        figures.stored = sum(end[1] for end in ends if end)

    def _count(self, message: Message, figures: Figures) -> None:
        topic = (message.topic() or "").removeprefix(f"{self._manifest.pipeline}.")
        if topic == DEAD_LETTERS:
            headers = dict(message.headers() or ())
            stage, reason = (_text(headers.get(f"headrace.dlq.{name}")) for name in ("stage", "reason"))
            figures.letters[stage, reason] += 1
            return
        figures.written[topic] += 1
        if self._missing:
            value = message.value() or b""
            self._missing = {sign for sign in self._missing if sign.topic != topic or sign.marker not in value}
            if not self._missing:
                self._all_signs.set()

    def _partitions(self, name: str) -> list[TopicPartition]:
        topic = self._manifest.kafka(name)
        return [TopicPartition(topic, p) for p in self._consumer.list_topics(topic, timeout=5).topics[topic].partitions]

    def close(self) -> None:
        self._consumer.close()


def _text(header: bytes | str | None) -> str:
    return header.decode(errors="replace") if isinstance(header, bytes) else str(header)


class LoadedTables:
    """Counts the rows of the sinks' tables with SQL. `tables`: sink → full name."""

    name, every = "tables", 2.0

    def __init__(self, connection: Mapping[str, Any], tables: Mapping[str, str]) -> None:
        self._arguments = connection
        self._tables = tables
        self._session: snowflake.connector.SnowflakeConnection | None = None

    def look(self, figures: Figures) -> None:
        try:
            if self._session is None:
                self._session = snowflake.connector.connect(**self._arguments)
            with self._session.cursor() as cursor:
                for sink, table in self._tables.items():
                    row = cursor.execute(f"SELECT COUNT(*) FROM {table}").fetchone()  # noqa: S608 - our own names
                    figures.loaded[sink] = int(row[0]) if row else 0
        except snowflake.connector.errors.Error:
            # Such as before the loader has made the table: ended, or the connector complains at the exit.
            with contextlib.suppress(snowflake.connector.errors.Error):
                self.close()
            self._session = None
            raise

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
