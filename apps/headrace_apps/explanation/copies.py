"""Where an event is in Kafka: every record of the pipeline's topics that has its id. The first step of `explain`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from headrace.core.columns import Kind
from headrace.core.documents import GatewayDocument, GatewayTopic
from headrace_apps.explanation.moments import millis_of
from headrace_apps.inspection.records import Record
from headrace_apps.inspection.scan import Progress, Scan
from headrace_apps.inspection.values import UndecodableError, Values


@dataclass(frozen=True, slots=True)
class Copy:
    """A record with the id. `at` is its event time, or its Kafka timestamp where the topic has no event time."""

    topic: GatewayTopic
    record: Record
    value: dict[str, Any]
    at: int


@dataclass
class Looked:
    """How far the search went: `since` in epoch milliseconds, records by short topic name; `cut` names topics where
    the bound was reached before the end."""

    since: int | None
    read: dict[str, int] = field(default_factory=dict)
    cut: list[str] = field(default_factory=list)


def find_copies(
    document: GatewayDocument, event_id: str, looked: Looked, most: int, progress: Progress | None = None
) -> Iterator[Copy]:
    """In each topic that has an id, at most `most` records from `looked.since` on. Raises UnreadableError."""
    values = Values(document)
    for topic in document.topics:
        if topic.id_field is None:
            continue
        scan = Scan(document.kafka, topic.kafka_topic, since=looked.since, progress=progress)
        for record in scan:
            copy = copy_of(record, topic, event_id, values)
            if copy is not None:
                yield copy
            if scan.read >= most:
                looked.cut.append(topic.name)
                break
        looked.read[topic.name] = scan.read


def copy_of(record: Record, topic: GatewayTopic, event_id: str, values: Values) -> Copy | None:
    """The record as a copy of that event; None when it is another one, or none."""
    if record.value is None or not may_hold(record.value, topic, event_id):
        return None
    try:
        value = values.value(record)
    except UndecodableError:
        return None
    if not isinstance(value, dict) or topic.id_field is None or id_text(value.get(topic.id_field)) != event_id:
        return None
    at = millis_of(value.get(topic.event_time_field)) if topic.event_time_field else None
    return Copy(topic, record, value, record.timestamp if at is None else at)


def may_hold(raw: bytes, topic: GatewayTopic, event_id: str) -> bool:
    """Cheap: whether the bytes can hold that id. Every format stores a text as UTF-8; JSON may escape any of it."""
    column = next((column for column in topic.columns if column.name == topic.id_field), None)
    if column is None or column.type.kind is not Kind.STRING:
        return True
    return event_id.encode() in raw or b"\\" in raw


def id_text(value: Any) -> str | None:
    """An id as a person types it: a text as it is, a number as JSON writes it."""
    return value if isinstance(value, str) else None if value is None else json.dumps(value)
