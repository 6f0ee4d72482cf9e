"""A Kafka record as the API shows it. Pure.

A JSON value goes out as the bytes that are stored, after a check that they are JSON: nothing is rounded on the way.
Avro and Protobuf go out in the JSON form.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

import orjson
from confluent_kafka import Message

from headrace.core.columns import Column
from headrace.core.dead_letter import rfc3339
from headrace.core.documents import GatewayTopic
from headrace.core.keys import is_plain
from headrace_apps.gateway.problems import Problem
from headrace_apps.records.decoder import Decoder
from headrace_apps.records.outcome import Refused
from headrace_apps.records.registry import RegistryAwayError


def key_columns_of(topic: GatewayTopic) -> tuple[Column, ...]:
    """The columns of the key, in the declared order."""
    columns = {column.name: column for column in topic.columns}
    return tuple(columns[name] for name in topic.key_fields if name in columns)


def show_value(raw: bytes | None, decoder: Decoder) -> dict[str, Any]:
    """`value` in the JSON form; what cannot be decoded as `valueBase64` and `error` beside a null. Raises
    RegistryAwayError; call it in a thread when `decoder.may_wait`."""
    if raw is None:
        return {"value": None}
    text = decoder.text(raw)
    if isinstance(text, Refused):
        return {"value": None, "valueBase64": base64.b64encode(raw).decode(), "error": text.error}
    return {"value": orjson.Fragment(text)}


def registry_away(error: RegistryAwayError) -> Problem:
    detail = f"The records cannot be decoded now: {error}. Try again."
    return Problem(503, "registry-away", detail, headers={"Retry-After": "2"})


def show_key(raw: bytes | None, key_columns: Sequence[Column]) -> Any:
    """A plain key as text, a composite one as its object, anything else as text with U+FFFD for bad bytes."""
    if raw is None:
        return None
    if key_columns and not is_plain(key_columns):
        try:
            return orjson.loads(raw)
        except orjson.JSONDecodeError:
            pass
    return raw.decode("utf-8", "replace")


def show_time(millis: int) -> str | None:
    """Epoch milliseconds as RFC 3339 with milliseconds; None outside of the years that it can write."""
    try:
        return rfc3339(datetime.fromtimestamp(millis / 1000, UTC))
    except (OverflowError, ValueError, OSError):
        return None


def place_of(message: Message) -> tuple[int, int]:
    """Partition and offset of a record that was read; the client's types also know records that were not sent yet."""
    partition, offset = message.partition(), message.offset()
    assert partition is not None  # noqa: S101
    assert offset is not None  # noqa: S101
    return partition, offset


def size_of(message: Message) -> int:
    """Bytes of a record's key, value and headers."""
    headers = cast("list[tuple[str, bytes | str | None]]", message.headers() or [])
    return len(message) + len(message.key() or b"") + sum(len(name) + len(value or b"") for name, value in headers)


def show_record(message: Message, key_columns: Sequence[Column], decoder: Decoder) -> dict[str, Any]:
    """One event of a topic. Raises RegistryAwayError."""
    partition, offset = place_of(message)
    headers = {
        name: value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        for name, value in cast("list[tuple[str, bytes | str | None]]", message.headers() or [])
    }
    return {
        "partition": partition,
        "offset": offset,
        "timestamp": show_time(message.timestamp()[1]),
        "key": show_key(message.key(), key_columns),
        **show_value(message.value(), decoder),
        "headers": headers,
    }
