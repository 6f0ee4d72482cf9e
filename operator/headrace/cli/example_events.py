"""Made-up events of a topic: they fit its schema, happen now, and each has an id of its own. For `send` and `up`."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import jsonschema_rs

from headrace.core.columns import Kind
from headrace.core.dead_letter import rfc3339
from headrace.core.documents import GatewayTopic
from headrace_apps.gateway.examples import example_of
from headrace_apps.records.encoder import encoder_of

KEYS = 100


def first_event(topic: GatewayTopic, now: float) -> tuple[dict[str, Any], bool]:
    """An event of the topic that happened now (epoch seconds), and whether it fits the schema."""
    schema = form_schema(topic)
    event = _by_json_schema(schema)
    for column in topic.columns:
        if column.name == topic.event_time_field and column.type.kind in (Kind.TIMESTAMP, Kind.EPOCH_MILLIS):
            as_number = column.type.kind is Kind.EPOCH_MILLIS or isinstance(event.get(column.name), int)
            event[column.name] = int(now * 1000) if as_number else rfc3339(datetime.fromtimestamp(now, UTC))
    return event, bool(jsonschema_rs.is_valid(schema, event))


def form_schema(topic: GatewayTopic) -> dict[str, Any]:
    """The JSON Schema of an event's JSON form, whatever the topic's format."""
    encoder = encoder_of(topic.schema_, topic.columns)
    if encoder is not None:
        return encoder.form_schema
    definition = topic.schema_.definition if topic.schema_ else {}
    return definition if isinstance(definition, dict) else {}


def example_events(topic: GatewayTopic, clock: Callable[[], float]) -> Iterator[bytes]:
    """One after the other, without end. A text id is a UUID, a number counts up from the time of the first.

    Keys vary where the schema lets them: events of one key are in one partition, and no window closes while the
    topic's other partitions are silent.
    """
    number = int(clock() * 1000)
    kinds = {column.name: column.type.kind for column in topic.columns}
    schema = form_schema(topic)
    while True:
        event, _ = first_event(topic, clock())
        if topic.id_field in event:
            event[topic.id_field] = number if kinds[topic.id_field] is Kind.BIGINT else str(uuid.uuid4())
        event = _with_keys(event, [name for name in topic.key_fields if name != topic.id_field], number, schema)
        number += 1
        yield json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def _with_keys(event: dict[str, Any], names: list[str], number: int, schema: dict[str, Any]) -> dict[str, Any]:
    """The event with other values of plain texts in its key, if it fits the schema with them as well as without."""
    varied = {name: f"{event[name]}-{number % KEYS}" for name in names if isinstance(event.get(name), str)}
    return {**event, **varied} if jsonschema_rs.is_valid(schema, {**event, **varied}) else event


def _by_json_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    example = example_of(schema, schema)
    event: dict[str, Any] = example if isinstance(example, dict) else {}
    for name, child in schema.get("properties", {}).items():
        # An anchored pattern's literal beginning fits the common ones, such as ^/ or ^user-.
        start = re.match(r"\^([\w/:.-]+)", child.get("pattern", "")) if isinstance(child, dict) else None
        if start and isinstance(event.get(name), str):
            event[name] = start[1]
    return event
