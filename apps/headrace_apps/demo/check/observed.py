"""What the check collected: plain values, so that a comparison can be tested without a broker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Record:
    """One Kafka record as a read_committed consumer sees it. `row`: its fields; None where the bytes are no record."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    row: Mapping[str, Any] | None = None

    def header(self, name: str) -> str | None:
        """The last value under that name, as text."""
        for key, value in reversed(self.headers):
            if key == name and value is not None:
                return value.decode(errors="replace")
        return None


@dataclass(frozen=True, slots=True)
class Observed:
    """Topics by short name (the dead letters' as `dead-letters`), tables by sink, views' answers by name."""

    topics: Mapping[str, Sequence[Record]]
    tables: Mapping[str, Sequence[Mapping[str, Any]]]
    views: Mapping[str, Sequence[Mapping[str, Any]]]
