"""What the three formats share: the error, the bounds, the names that Headrace keeps."""

from __future__ import annotations

from collections.abc import Iterable

from headrace.core.columns import EPOCH_MILLIS, Column, Kind
from headrace.core.problems import shorten

MAX_DEPTH = 16
MAX_COLUMNS = 1000
# Columns that the job document adds beside the topic's own.
RESERVED = frozenset(
    {"_outcome", "_error", "_raw", "_key", "_headers", "_partition", "_offset", "_timestamp", "_newest"}
)


class SchemaError(ValueError):
    """The definition is unusable; the text says why, for the person who wrote it."""


class Bounds:
    """Counts fields over the whole definition: names that are used twice can fan out to any number."""

    def __init__(self) -> None:
        self._seen = 0

    def enter(self, depth: int, where: str) -> None:
        self._seen += 1
        if self._seen > MAX_COLUMNS:
            raise SchemaError(f"comes to more than {MAX_COLUMNS} fields, references followed")
        if depth > MAX_DEPTH:
            raise SchemaError(f"{shorten(where)} is nested or refers to itself more than {MAX_DEPTH} levels deep")


def as_columns(columns: Iterable[Column], event_time_field: str | None) -> tuple[Column, ...]:
    """The top level's columns: names checked, and an integer event time is epoch milliseconds, a timestamp to SQL."""
    checked = tuple(columns)
    for column in checked:
        if column.name in RESERVED:
            raise SchemaError(f"names a field {column.name!r}, which Headrace keeps for itself")
        if not column.name.strip() or any(sign == ";" or ord(sign) < 32 for sign in column.name):
            # Flink's options list fields with ; between them.
            raise SchemaError(f"names a field {shorten(repr(column.name))}: empty, or with ; or a control character")
    return tuple(_as_event_time(c) if c.name == event_time_field else c for c in checked)


def _as_event_time(column: Column) -> Column:
    return column.model_copy(update={"type": EPOCH_MILLIS}) if column.type.kind is Kind.BIGINT else column


def no_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """For json.loads: a key that is there twice is an error. Raises ValueError."""
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {shorten(twice)!r} is there twice")
    return mapping


def no_constant(name: str) -> object:
    """For json.loads: NaN and infinities are no JSON."""
    raise ValueError(f"{name} is not JSON")
