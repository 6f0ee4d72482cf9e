"""A record's value and key as JSON, by the topic's format: what `tail`, `explain` and `dlq` show and select by."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from headrace.core.documents import GatewayDocument, GatewayTopic
from headrace.core.keys import is_plain
from headrace_apps.inspection.records import Record

PREFIX_BYTES = 5
"""A zero byte and a schema id before the value: readers take JSON with it, too."""


class UndecodableError(ValueError):
    """The bytes are no value of the topic; the message says why."""


class Values:
    """Of one pipeline, by Kafka topic; a topic that it does not know is read as JSON."""

    def __init__(self, document: GatewayDocument) -> None:
        self.topics: Mapping[str, GatewayTopic] = {topic.kafka_topic: topic for topic in document.topics}

    def value(self, record: Record) -> Any:
        """The value's JSON form; None for a tombstone. Raises UndecodableError."""
        return None if record.value is None else self.read(record.topic, record.value)

    def read(self, kafka_topic: str, value: bytes) -> Any:  # noqa: ARG002
        """Bytes of a topic as JSON. Raises UndecodableError."""
        return read_json(value[PREFIX_BYTES:] if value[:1] == b"\0" else value)

    def key(self, record: Record) -> Any:
        """A plain key as text, a composite one as its object, anything else as text with U+FFFD for bad bytes."""
        if record.key is None:
            return None
        topic = self.topics.get(record.topic)
        columns = {column.name: column for column in topic.columns} if topic else {}
        key_columns = [columns[name] for name in topic.key_fields if name in columns] if topic else []
        if key_columns and not is_plain(key_columns):
            try:
                return read_json(record.key)
            except UndecodableError:
                pass
        return record.key.decode("utf-8", "replace")


def read_json(raw: bytes) -> Any:
    """Any JSON value. Raises UndecodableError."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise UndecodableError(f"is no JSON: {error}") from error
