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
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

from headrace_apps.demo.api import Api, Away, Unexpected
from headrace_apps.demo.clickstream import CLEAN_CLICKS, CLICKS, DEAD_LETTERS, epoch_ms, kafka_topic
from headrace_apps.demo.figures import Figures

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


class CleanClicks:
    """Reads the exactly-once output through the gateway's API, page after page: what is processed, and how fast."""

    name, every = "clean clicks", 0.0

    def __init__(self, api: Api) -> None:
        self._api = api
        self._cursor: str | None = None

    def look(self, figures: Figures) -> None:
        page = self._api.read(CLEAN_CLICKS, self._cursor, wait=READ_WAIT)
        self._cursor = page.cursor
        figures.latencies.seen([event["value"]["event_id"] for event in page.events if event["value"]])
        figures.processed += len(page.events)

    def close(self) -> None:
        self._api.close()


class PageViews:
    """Asks the view which windows it has; the first one lets the late events go."""

    name = "page views"

    def __init__(self, api: Api, first_result: threading.Event) -> None:
        self.every = 0.25
        self._api = api
        self._first_result = first_result

    def look(self, figures: Figures) -> None:
        cursor: str | None = None
        while True:
            rows, cursor = self._api.view_page(cursor)
            figures.view_windows.update((row["page"], epoch_ms(row["window_start"])) for row in rows)
            if not cursor:
                break
        if figures.view_windows and figures.first_result is None:
            figures.first_result = time.monotonic()
            self.every = 1.0
            self._first_result.set()

    def close(self) -> None:
        self._api.close()


class Topics:
    """Follows the dead-letter topic and asks for the end of the raw topic, with a stock consumer."""

    name, every = "topics", 0.0

    def __init__(self, bootstrap: str) -> None:
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
        self._clicks: list[TopicPartition] = []

    def look(self, figures: Figures) -> None:
        if not self._clicks:
            letters = self._partitions(DEAD_LETTERS)
            self._clicks = self._partitions(CLICKS)
            self._consumer.assign([TopicPartition(p.topic, p.partition, OFFSET_BEGINNING) for p in letters])
        for message in self._consumer.consume(500, 0.5):
            if message.error() is None:
                headers = dict(message.headers() or ())
                stage, reason = (_text(headers.get(f"headrace.dlq.{name}")) for name in ("stage", "reason"))
                figures.letters[stage, reason] += 1
        try:
            ends = [self._consumer.get_watermark_offsets(p, timeout=2, cached=False) for p in self._clicks]
        except KafkaException:
            # After a broker came back, only an explicit metadata request tells librdkafka its new leader epoch.
            self._consumer.list_topics(kafka_topic(CLICKS), timeout=5)
            raise
        figures.stored = sum(end[1] for end in ends if end)

    def _partitions(self, name: str) -> list[TopicPartition]:
        topic = kafka_topic(name)
        return [TopicPartition(topic, p) for p in self._consumer.list_topics(topic, timeout=5).topics[topic].partitions]

    def close(self) -> None:
        self._consumer.close()


def _text(header: bytes | str | None) -> str:
    return header.decode(errors="replace") if isinstance(header, bytes) else str(header)


class LoadedTable:
    """Counts the table's rows with SQL."""

    name, every = "table", 2.0

    def __init__(self, connection: Mapping[str, Any], table: str) -> None:
        self._arguments = connection
        self._table = table
        self._session: snowflake.connector.SnowflakeConnection | None = None

    def look(self, figures: Figures) -> None:
        try:
            if self._session is None:
                self._session = snowflake.connector.connect(**self._arguments)
            with self._session.cursor() as cursor:
                row = cursor.execute(f"SELECT COUNT(*) FROM {self._table}").fetchone()  # noqa: S608 - our own name
        except snowflake.connector.errors.Error:
            # Such as before the loader has made the table: ended, or the connector complains at the exit.
            with contextlib.suppress(snowflake.connector.errors.Error):
                self.close()
            self._session = None
            raise
        figures.loaded = int(row[0]) if row else 0

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
