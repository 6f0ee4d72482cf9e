"""What the check collected: plain values, so that a comparison can be tested without a broker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Record:
    """One Kafka record as a read_committed consumer sees it."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()

    def header(self, name: str) -> str | None:
        """The last value under that name, as text."""
        for key, value in reversed(self.headers):
            if key == name and value is not None:
                return value.decode(errors="replace")
        return None


@dataclass(frozen=True, slots=True)
class Observed:
    """The topics, the loaded table's rows (column name → Python value) and the view's answer."""

    clicks: Sequence[Record]
    clean_clicks: Sequence[Record]
    page_views: Sequence[Record]
    dead_letters: Sequence[Record]
    table: Sequence[Mapping[str, Any]]
    view: Sequence[Mapping[str, Any]]
