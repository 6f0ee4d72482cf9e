"""Columns: what one record of a topic means, in types that Flink, the loader and the table share.

`schema.columns_of` derives them from the topic's schema; every document carries them, so that all readers
agree on what is a row (docs/reference/contracts.md, "Row semantics").
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator


class Kind(StrEnum):
    STRING = "STRING"
    BIGINT = "BIGINT"
    DOUBLE = "DOUBLE"
    BOOLEAN = "BOOLEAN"
    TIMESTAMP = "TIMESTAMP"
    EPOCH_MILLIS = "EPOCH_MILLIS"
    DATE = "DATE"
    DECIMAL = "DECIMAL"
    BYTES = "BYTES"
    JSON = "JSON"
    ARRAY = "ARRAY"
    MAP = "MAP"
    ROW = "ROW"


class ColumnType(BaseModel):
    """A type; `element` is set for ARRAY, `value` for MAP (keys are strings), `fields` for ROW, `precision` and
    `scale` (digits in all, and after the point) for DECIMAL."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    element: ColumnType | None = None
    value: ColumnType | None = None
    fields: tuple[Column, ...] | None = None
    precision: int | None = None
    scale: int | None = None

    @model_validator(mode="after")
    def _shape(self) -> Self:
        parts = {Kind.ARRAY: self.element, Kind.MAP: self.value, Kind.ROW: self.fields, Kind.DECIMAL: self.precision}
        if any((part is not None) != (self.kind is kind) for kind, part in parts.items()):
            raise ValueError(f"{self.kind} has the wrong parts")
        if (self.scale is None) != (self.precision is None):
            raise ValueError("precision and scale come together")
        return self

    @property
    def sql(self) -> str:  # noqa: PLR0911 - one line per type reads best
        """The Flink SQL type."""
        match self.kind:
            case Kind.TIMESTAMP | Kind.EPOCH_MILLIS:
                return "TIMESTAMP_LTZ(3)"
            case Kind.JSON:
                return "STRING"
            case Kind.DECIMAL:
                return f"DECIMAL({self.precision}, {self.scale})"
            case Kind.ARRAY:
                assert self.element is not None  # noqa: S101 - the validator's promise, for the type checker
                return f"ARRAY<{self.element.sql}>"
            case Kind.MAP:
                assert self.value is not None  # noqa: S101
                return f"MAP<STRING, {self.value.sql}>"
            case Kind.ROW:
                return "ROW<" + ", ".join(c.sql for c in self.fields or ()) + ">"
            case _:
                return self.kind.value


class Column(BaseModel):
    """One field. `required`: present and not null in every valid record."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    type: ColumnType
    required: bool = False

    @property
    def sql(self) -> str:
        """`name type` as in a CREATE TABLE. Nullability is checked by the decoder, not declared to the planner."""
        return f"{quote(self.name)} {self.type.sql}"


def quote(identifier: str) -> str:
    """A Flink SQL identifier in backticks."""
    return "`" + identifier.replace("`", "``") + "`"


STRING, BIGINT, DOUBLE = (ColumnType(kind=k) for k in (Kind.STRING, Kind.BIGINT, Kind.DOUBLE))
BOOLEAN, TIMESTAMP, EPOCH_MILLIS = (ColumnType(kind=k) for k in (Kind.BOOLEAN, Kind.TIMESTAMP, Kind.EPOCH_MILLIS))
DATE, JSON, BYTES = (ColumnType(kind=k) for k in (Kind.DATE, Kind.JSON, Kind.BYTES))


# What a sink's `cast` can do beside any single value → STRING; the loader implements exactly these.
CASTS = frozenset(
    {
        (Kind.STRING, Kind.BIGINT),
        (Kind.STRING, Kind.DOUBLE),
        (Kind.STRING, Kind.BOOLEAN),
        (Kind.STRING, Kind.TIMESTAMP),
        (Kind.STRING, Kind.DATE),
        (Kind.BIGINT, Kind.DOUBLE),
        (Kind.BIGINT, Kind.BOOLEAN),
        (Kind.BIGINT, Kind.TIMESTAMP),
        (Kind.DOUBLE, Kind.BIGINT),
        (Kind.BOOLEAN, Kind.BIGINT),
        (Kind.TIMESTAMP, Kind.BIGINT),
        (Kind.TIMESTAMP, Kind.DATE),
        (Kind.DATE, Kind.TIMESTAMP),
    }
)


def castable(source: Kind, target: Kind) -> bool:
    """Whether a single value of one kind can become the other; a value that does not fit is then a dead letter."""
    return source is target or target is Kind.STRING or (source, target) in CASTS
