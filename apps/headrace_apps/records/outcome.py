"""What a decoder says about one record's value, and the error that its parts raise. Used by all of `records`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A value per column: str, int, float, bool, Decimal (DECIMAL), bytes (BYTES), or None where an optional field is
    absent or null.

    TIMESTAMP and EPOCH_MILLIS are epoch milliseconds, DATE its text; ARRAY, MAP, ROW and JSON are compact JSON text of
    the JSON form.
    """

    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A null value."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Not a row: why, in one line for a person. What that is called (Malformed, Unloadable) the reader knows."""

    error: str


Outcome = Row | Tombstone | Refused
TOMBSTONE = Tombstone()


class UnfitError(ValueError):
    """A value does not fit: where below the record, and a sentence that goes on from its name ("is …", "must …")."""

    def __init__(self, problem: str, path: Path = ()) -> None:
        super().__init__(problem)
        self.problem, self.path = problem, path

    def below(self, step: str | int) -> UnfitError:
        """The same, seen from one level up."""
        return UnfitError(self.problem, (step, *self.path))

    @property
    def line(self) -> str:
        """`field lines[2].sku must be a string`; without a path the problem alone."""
        return f"field {dotted(self.path)} {self.problem}" if self.path else self.problem


def dotted(path: Path) -> str:
    """`a.b[2]`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")
