"""A Kafka record as handlers see it, free of the client's types. The bottom of the runtime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from confluent_kafka import Message

OVERHEAD_BYTES = 250
"""What a record costs in memory beside its key and value: the tuple, its numbers, and the client's own bookkeeping."""


class Record(NamedTuple):
    """`timestamp` is epoch milliseconds."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | str | None]] | None
    timestamp: int


def record_of(message: Message, partition: int, offset: int) -> Record:
    """`partition` and `offset` are the message's: whoever calls has looked at them already."""
    headers = message.headers()
    pairs = list(headers.items()) if isinstance(headers, dict) else headers
    return Record(partition, offset, message.key(), message.value(), pairs, message.timestamp()[1])


def size_of(record: Record) -> int:
    """Bytes that a record takes while it is held."""
    size = OVERHEAD_BYTES + len(record.key or b"") + len(record.value or b"")
    if record.headers:
        size += sum(len(name) + len(value or b"") for name, value in record.headers)
    return size
