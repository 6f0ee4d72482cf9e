"""A case as values: what goes in, what is to come out. `fixtures.py` reads them, `run.py` runs them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """One record. Exactly one of `value` (its JSON form), `raw` (its bytes) is set, or neither for a tombstone.

    `key` None: made from the value's key fields. `time_ms` None: the event's own time.
    """

    value: dict[str, Any] | None = None
    raw: bytes | None = None
    key: bytes | None = None
    time_ms: int | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class ExpectedRows:
    """`exact`: no other rows; `ordered`: in this order; `all_fields`: a field left out must be null or missing."""

    rows: tuple[dict[str, Any], ...]
    exact: bool = True
    ordered: bool = False
    all_fields: bool = False


@dataclass(frozen=True, slots=True)
class ExpectedLetter:
    """What is None is not compared. `id`: of the topic's id field; `error`: a part of the text."""

    reason: str
    topic: str | None = None
    job: str | None = None
    id: str | None = None
    raw: str | None = None
    value: dict[str, Any] | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """`letters` None: not compared. `jobs` are those that run, feeders before those that they feed."""

    pipeline: str
    name: str
    file: Path
    line: int
    given: dict[str, tuple[Event, ...]]
    expect: dict[str, ExpectedRows]
    letters: tuple[ExpectedLetter, ...] | None
    jobs: tuple[str, ...]

    @property
    def id(self) -> str:
        """`page-views: a click counts once`."""
        return f"{self.file.stem}: {self.name}"
