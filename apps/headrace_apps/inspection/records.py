"""A Kafka record as a plain value, apart from the client that read it. Below everything here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from confluent_kafka import Message


@dataclass(frozen=True, slots=True)
class Record:
    """`timestamp` in epoch milliseconds, as the broker has it; header values are bytes or None."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()

    def header(self, name: str) -> str | None:
        """The last header of that name as text, None without one."""
        found = next((value for key, value in reversed(self.headers) if key == name), None)
        return None if found is None else found.decode("utf-8", "replace")

    @property
    def place(self) -> str:
        """`<partition>-<offset>`: how people and headers name a record within its topic."""
        return f"{self.partition}-{self.offset}"


def record_of(message: Message) -> Record:
    """A message that came from a broker, and is no error."""
    partition, offset = message.partition(), message.offset()
    headers = cast("Sequence[tuple[str, bytes | str | None]]", message.headers() or ())
    return Record(
        message.topic() or "",
        -1 if partition is None else partition,
        -1 if offset is None else offset,
        message.timestamp()[1],
        message.key(),
        message.value(),
        tuple((name, value.encode() if isinstance(value, str) else value) for name, value in headers),
    )
