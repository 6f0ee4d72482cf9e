"""Made-up events of a topic: they fit its schema, happen now, and each has an id of its own. For `send` and `up`."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import jsonschema_rs

from headrace.core.columns import Column, Kind
from headrace.core.dead_letter import rfc3339
from headrace.core.documents import GatewayTopic
from headrace_apps.gateway.examples import example_of


def first_event(topic: GatewayTopic, now: float) -> tuple[dict[str, Any], bool]:
    """An event of the topic that happened now (epoch seconds), and whether it fits the schema."""
    schema = topic.schema_.definition if topic.schema_ else {}
    event = _by_json_schema(schema) if isinstance(schema, Mapping) and _is_json(topic) else _by_columns(topic)
    for column in topic.columns:
        if column.name == topic.event_time_field and column.type.kind in (Kind.TIMESTAMP, Kind.EPOCH_MILLIS):
            as_number = column.type.kind is Kind.EPOCH_MILLIS or isinstance(event.get(column.name), int)
            event[column.name] = int(now * 1000) if as_number else rfc3339(datetime.fromtimestamp(now, UTC))
    fits = bool(jsonschema_rs.is_valid(schema, event)) if _is_json(topic) and isinstance(schema, dict) else True
    return event, fits


def example_events(topic: GatewayTopic, clock: Callable[[], float]) -> Iterator[bytes]:
    """One after the other, without end. A text id is a UUID, a number counts up from the time of the first."""
    number = int(clock() * 1000)
    kinds = {column.name: column.type.kind for column in topic.columns}
    while True:
        event, _ = first_event(topic, clock())
        if topic.id_field in event:
            event[topic.id_field] = number if kinds[topic.id_field] is Kind.BIGINT else str(uuid.uuid4())
        number += 1
        yield json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def _is_json(topic: GatewayTopic) -> bool:
    return topic.schema_ is None or topic.schema_.format == "JSON"


def _by_json_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    example = example_of(schema, schema)
    event: dict[str, Any] = example if isinstance(example, dict) else {}
    for name, child in schema.get("properties", {}).items():
        # An anchored pattern's literal beginning fits the common ones, such as ^/ or ^user-.
        start = re.match(r"\^([\w/:.-]+)", child.get("pattern", "")) if isinstance(child, dict) else None
        if start and isinstance(event.get(name), str):
            event[name] = start[1]
    return event


def _by_columns(topic: GatewayTopic) -> dict[str, Any]:
    return {column.name: _value(column) for column in topic.columns}


def _value(column: Column) -> Any:
    simple: dict[Kind, Any] = {
        Kind.STRING: "text",
        Kind.BIGINT: 1,
        Kind.DOUBLE: 1.5,
        Kind.BOOLEAN: True,
        Kind.TIMESTAMP: "2026-11-22T19:01:00Z",
        Kind.EPOCH_MILLIS: 1,
        Kind.DATE: "2026-11-22",
        Kind.DECIMAL: "1",
        Kind.BYTES: "aGVhZHJhY2U=",
        Kind.ARRAY: [],
        Kind.MAP: {},
        Kind.JSON: None,
    }
    if column.type.kind is Kind.ROW:
        return {field.name: _value(field) for field in column.type.fields or ()}
    return simple[column.type.kind] if column.required or column.type.kind in _LIKELY else None


_LIKELY = frozenset({Kind.BIGINT, Kind.DOUBLE, Kind.BOOLEAN, Kind.TIMESTAMP, Kind.ARRAY, Kind.MAP})
"""Optional fields that are shown all the same; an optional text may be an enum, whose words a column does not know."""
