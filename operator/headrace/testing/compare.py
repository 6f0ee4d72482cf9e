"""What came out beside what was expected: pure. A difference names the nearest row, and the fields that differ.

Values compare by what they mean in their column: times as instants, decimals by value, doubles to 1e-9 relative.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from headrace.core.columns import Column, ColumnType, Kind
from headrace.testing.cases import ExpectedLetter, ExpectedRows
from headrace_apps.records.instants import parse_instant

Row = Mapping[str, Any]
RELATIVE = 1e-9


@dataclass(frozen=True, slots=True)
class Changed:
    """Field by field, dotted where nested: what came, what was expected."""

    field: str
    got: Any
    expected: Any


@dataclass(frozen=True, slots=True)
class Difference:
    """`expected` alone: it did not come; `got` alone: nobody expected it; both, with `changes`: the nearest pair."""

    where: str
    expected: Row | None = None
    got: Row | None = None
    changes: tuple[Changed, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter as it came. `value`: its JSON form, where it has one; `topic`: the short name."""

    reason: str
    topic: str
    job: str
    error: str
    raw: bytes | None
    value: Any = None
    id: str | None = None


def compare_rows(topic: str, expected: ExpectedRows, got: Sequence[Row], columns: Sequence[Column]) -> list[Difference]:
    """Nothing when all is as expected."""
    matcher = _Matcher({column.name: column.type for column in columns}, expected.all_fields)
    if expected.ordered:
        return matcher.in_order(topic, expected, got)
    return matcher.in_any_order(topic, expected, got)


@dataclass(frozen=True, slots=True)
class _Matcher:
    types: Mapping[str, ColumnType]
    all_fields: bool

    def changes(self, expected: Row, got: Row) -> tuple[Changed, ...]:
        names = [*expected, *(name for name in got if name not in expected)] if self.all_fields else list(expected)
        return tuple(
            change
            for name in names
            for change in differing(name, got.get(name), expected.get(name), self.types.get(name))
        )

    def in_order(self, topic: str, expected: ExpectedRows, got: Sequence[Row]) -> list[Difference]:
        if not expected.exact:  # others may stand between
            rest = iter(got)
            late = [row for row in expected.rows if not any(not self.changes(row, one) for one in rest)]
            return [Difference(topic, row, note="not in this order") for row in late]
        found = []
        for place in range(max(len(expected.rows), len(got))):
            wanted = expected.rows[place] if place < len(expected.rows) else None
            came = got[place] if place < len(got) else None
            changes = self.changes(wanted, came) if wanted is not None and came is not None else ()
            if changes or wanted is None or came is None:
                found.append(Difference(topic, wanted, came, changes, note=f"row {place + 1}"))
        return found

    def in_any_order(self, topic: str, expected: ExpectedRows, got: Sequence[Row]) -> list[Difference]:
        """Rows that agree are taken out by a maximal matching; what is left is paired by what comes nearest."""
        edges = [[i for i, row in enumerate(got) if not self.changes(wanted, row)] for wanted in expected.rows]
        taken = _matching(edges)
        missing = [row for i, row in enumerate(expected.rows) if i not in taken.values()]
        spare = [row for i, row in enumerate(got) if i not in taken]
        found = []
        for wanted in missing:
            nearest = min(spare, key=lambda row, of=wanted: len(self.changes(of, row)), default=None)  # type: ignore[misc]
            changes = self.changes(wanted, nearest) if nearest is not None else ()
            unlike = {change.field.split(".", 1)[0] for change in changes} & wanted.keys()
            if nearest is not None and len(unlike) * 2 <= len(wanted):  # more alike than not
                spare.remove(nearest)
                found.append(Difference(topic, wanted, nearest, changes))
            else:
                found.append(Difference(topic, wanted))
        return [*found, *(Difference(topic, got=row) for row in spare if expected.exact)]


def _matching(edges: Sequence[Sequence[int]]) -> dict[int, int]:
    """A largest matching, got → expected: an expected row of few fields must not take what only another one fits.

    Augmenting paths (Kuhn's algorithm); both sides are a fixture's few rows.
    """
    taken: dict[int, int] = {}

    def place(wanted: int, tried: set[int]) -> bool:
        for candidate in edges[wanted]:
            if candidate not in tried:
                tried.add(candidate)
                if candidate not in taken or place(taken[candidate], tried):
                    taken[candidate] = wanted
                    return True
        return False

    for wanted in range(len(edges)):
        place(wanted, set())
    return taken


def differing(field: str, got: Any, expected: Any, type_: ColumnType | None) -> list[Changed]:
    """Where a value differs, at any depth; the type is None where nothing is known of it."""
    if type_ is not None and type_.fields is not None and isinstance(got, Mapping) and isinstance(expected, Mapping):
        inner = {column.name: column.type for column in type_.fields}
        return [
            change
            for name in expected
            for change in differing(f"{field}.{name}", got.get(name), expected[name], inner.get(name))
        ]
    if type_ is not None and type_.element is not None and isinstance(got, list) and isinstance(expected, list):
        if len(got) == len(expected) and not any(
            differing("", one, other, type_.element) for one, other in zip(got, expected, strict=True)
        ):
            return []
        return [Changed(field, got, expected)]
    if type_ is not None and type_.value is not None and isinstance(got, Mapping) and isinstance(expected, Mapping):
        names = {**expected, **got}
        return [c for n in names for c in differing(f"{field}.{n}", got.get(n), expected.get(n), type_.value)]
    return [] if same(got, expected, type_.kind if type_ else None) else [Changed(field, got, expected)]


def same(got: Any, expected: Any, kind: Kind | None) -> bool:  # noqa: PLR0911 - one line per kind reads best
    if got is None or expected is None:
        return got is expected
    if isinstance(got, bool) or isinstance(expected, bool):
        return got is expected
    try:
        if kind in (Kind.TIMESTAMP, Kind.EPOCH_MILLIS) and isinstance(got, str) and isinstance(expected, str):
            return parse_instant(got) == parse_instant(expected)
        if kind is Kind.DECIMAL:
            return Decimal(str(got)) == Decimal(str(expected))
        if kind is Kind.JSON and isinstance(got, str) and not isinstance(expected, str):
            return bool(json.loads(got) == expected)  # a column of JSON text, written out in the fixture
    except (ValueError, InvalidOperation):
        return bool(got == expected)
    if isinstance(got, float) or isinstance(expected, float):
        return _is_number(got) and _is_number(expected) and math.isclose(got, expected, rel_tol=RELATIVE)
    return bool(got == expected)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def compare_letters(expected: Sequence[ExpectedLetter], got: Sequence[Letter]) -> list[Difference]:
    """In any order; each expected one is one that came, and no other came."""
    edges = [[i for i, letter in enumerate(got) if _is_letter(wanted, letter)] for wanted in expected]
    taken = _matching(edges)
    missing = [wanted for i, wanted in enumerate(expected) if i not in taken.values()]
    spare = [letter for i, letter in enumerate(got) if i not in taken]
    return [
        *(Difference("dead letters", expected=_told(wanted)) for wanted in missing),
        *(Difference("dead letters", got=_shown(letter), note=letter.error) for letter in spare),
    ]


def _is_letter(wanted: ExpectedLetter, letter: Letter) -> bool:
    value = letter.value if isinstance(letter.value, Mapping) else {}
    return (
        wanted.reason == letter.reason
        and wanted.topic in (None, letter.topic)
        and wanted.job in (None, letter.job)
        and wanted.id in (None, letter.id)
        and (wanted.raw is None or wanted.raw.encode() == letter.raw)
        and (wanted.error is None or wanted.error in letter.error)
        and all(same(value.get(name), part, None) for name, part in (wanted.value or {}).items())
    )


def _told(letter: ExpectedLetter) -> Row:
    names = ("reason", "topic", "job", "id", "raw", "value", "error")
    return {name: value for name in names if (value := getattr(letter, name)) is not None}


def _shown(letter: Letter) -> Row:
    raw = None if letter.raw is None else letter.raw.decode("utf-8", "backslashreplace")
    shown = {"reason": letter.reason, "topic": letter.topic, "job": letter.job}
    return {**shown, **({"id": letter.id} if letter.id is not None else {"raw": raw})}
