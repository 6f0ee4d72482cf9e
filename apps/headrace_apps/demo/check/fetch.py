"""Reads what the pipeline left: stock Kafka consumer, Snowflake's connector, HTTP. The check's only I/O."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx
import snowflake.connector
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from headrace_apps.demo.check.observed import Observed, Record
from headrace_apps.demo.check.places import Places
from headrace_apps.demo.sample import DEAD_LETTERS, Manifest
from headrace_apps.demo.wire import UndecodableError, Wire

PATIENCE_SECONDS = 60.0
"""Without a single record or end of partition."""


class FetchError(Exception):
    """A place could not be read; worded for the person who started the check."""


def fetch_observed(manifest: Manifest, places: Places, progress: Callable[[str], object]) -> Observed:
    """Everything, one place after the other. Raises FetchError."""
    wire = Wire(manifest, places.registry)
    topics, tables, views = {}, {}, {}
    for name in (*manifest.topics, DEAD_LETTERS):
        records = list(fetch_topic(places.bootstrap, manifest.kafka(name)))
        topics[name] = records if name == DEAD_LETTERS else [decoded(record, wire, name) for record in records]
        progress(f"{manifest.kafka(name)}: {len(records):,} records")
    for sink in manifest.sinks.values():
        tables[sink.name] = fetch_table(places.snowflake, f"{places.database}.{sink.table}")
        progress(f"{sink.table}: {len(tables[sink.name]):,} rows")
    for view in manifest.views:
        views[view] = fetch_view(places.gateway, places.token, view)
        progress(f"view {view}: {len(views[view]):,} keys")
    return Observed(topics, tables, views)


def decoded(record: Record, wire: Wire, topic: str) -> Record:
    """The record with its fields, where its bytes are a record of the topic."""
    if record.value is None:
        return record
    try:
        return replace(record, row=wire.decode(topic, record.value))
    except UndecodableError:
        return record


def fetch_topic(bootstrap: str, topic: str) -> Iterator[Record]:
    """Every committed record from the beginning to the last stable offset of each partition."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"check-{uuid4()}",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "log_level": 0,  # what goes wrong is raised
        }
    )
    with closing(consumer):
        try:
            metadata = consumer.list_topics(topic, timeout=PATIENCE_SECONDS).topics[topic]
        except KafkaException as error:
            raise FetchError(f"{topic} on {bootstrap}: {error.args[0].str()}") from error
        if metadata.error is not None:
            raise FetchError(f"{topic} on {bootstrap}: {metadata.error.str()}")
        reading = set(metadata.partitions)
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in reading])
        deadline = time.monotonic() + PATIENCE_SECONDS
        while reading:
            for message in consumer.consume(1000, 0.5):
                deadline = time.monotonic() + PATIENCE_SECONDS
                trouble = message.error()
                if trouble is None:
                    yield _record(message)
                elif trouble.code() == KafkaError._PARTITION_EOF:
                    reading.discard(message.partition())
                elif not trouble.retriable():
                    raise FetchError(f"{topic} on {bootstrap}: {trouble.str()}")
            if time.monotonic() > deadline:
                raise FetchError(f"{topic} on {bootstrap}: partitions {sorted(reading)} do not come to their end")


def _record(message: Message) -> Record:
    partition, offset = message.partition(), message.offset()
    assert partition is not None  # noqa: S101 - a message that came from a broker has its place
    assert offset is not None  # noqa: S101
    headers = message.headers() or ()
    pairs = headers.items() if isinstance(headers, dict) else headers
    return Record(
        partition,
        offset,
        message.key(),
        message.value(),
        tuple((name, value.encode() if isinstance(value, str) else value) for name, value in pairs),
    )


def fetch_table(connection: Mapping[str, Any], table: str) -> list[dict[str, Any]]:
    """All rows, column names in upper case."""
    try:
        with snowflake.connector.connect(**connection) as session, session.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {table}")  # noqa: S608 - the table is the operator's argument
            names = [column.name.upper() for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    except snowflake.connector.errors.Error as error:
        raise FetchError(f"table {table}: {error.msg or error}") from error


def fetch_view(gateway: str, token: str, view: str) -> list[dict[str, Any]]:
    """Every row of the view's answer, page by page."""
    rows: list[dict[str, Any]] = []
    parameters: dict[str, str | int] = {"limit": 1000}
    try:
        with httpx.Client(base_url=gateway, headers={"Authorization": f"Bearer {token}"}, timeout=30) as client:
            while True:
                answer = client.get(f"/v1/views/{view}", params=parameters)
                if answer.status_code != 200:
                    raise FetchError(f"view {view} at {gateway}: {answer.status_code} {answer.text[:300]}")
                page = answer.json()
                rows += [entry["value"] for entry in page["entries"]]
                if not page.get("next"):
                    return rows
                parameters["cursor"] = page["next"]
    except httpx.HTTPError as error:
        raise FetchError(f"view {view} at {gateway}: {error}") from error
