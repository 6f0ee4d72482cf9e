"""What a table lacks for its sink, and what it has that cannot hold the sink's values. Pure; `sink` applies it.

Columns are added, and widened where Snowflake can do it without a rewrite: more digits before the point, longer text.
Nothing is ever narrowed, changed otherwise or dropped. Columns that the sink does not know stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from headrace_apps.loader.layout import TableColumn
from headrace_apps.runtime import StopError

_FAMILIES = {
    "VARCHAR": "VARCHAR", "TEXT": "VARCHAR", "STRING": "VARCHAR", "CHAR": "VARCHAR",
    "NUMBER": "NUMBER", "DECIMAL": "NUMBER", "NUMERIC": "NUMBER", "INT": "NUMBER", "BIGINT": "NUMBER",
    "FLOAT": "FLOAT", "DOUBLE": "FLOAT", "REAL": "FLOAT",
    "BINARY": "BINARY", "VARBINARY": "BINARY",
    "BOOLEAN": "BOOLEAN", "DATE": "DATE", "TIMESTAMP_NTZ": "TIMESTAMP_NTZ", "VARIANT": "VARIANT",
}  # fmt: skip
_TYPE = re.compile(r"(\w+)\s*(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?")
_LEAST_TIMESTAMP_DIGITS = 3
_LONGEST_TEXT = 16_777_216
_MOST_DIGITS = 38
_WHOLE_NUMBER = "NUMBER(38,0)"


class TableMismatchError(StopError):
    """The table has a column that cannot hold what the sink loads; only its owner can decide what to do."""


@dataclass(frozen=True, slots=True)
class Changes:
    """`widen` has the type that each column gets; `texts` names the columns that are VARCHAR and stay so, although the
    sink's values are any JSON by now."""

    add: Sequence[TableColumn]
    widen: Sequence[tuple[TableColumn, str]]
    texts: Collection[str] = ()


def diff_table(table: str, wanted: Sequence[TableColumn], existing: Mapping[str, str]) -> Changes:
    """What to add and to widen. `existing` maps the table's column names to their types, as DESCRIBE TABLE tells them.

    Raises TableMismatchError that names every column of another type.
    """
    wrong: list[str] = []
    widen: list[tuple[TableColumn, str]] = []
    texts: set[str] = set()
    for wish in wanted:
        if wish.name in existing:
            type_, column = existing[wish.name], wish
            if wish.type.as_text is not None and _family(type_) == wish.type.as_text.family:
                texts.add(wish.name)
                column = TableColumn(wish.name, wish.type.as_text)
            declared = _held(type_, column)
            if declared is None:
                wrong.append(f"{column.name} is {type_}, the sink loads {column.type.declared}")
            elif declared != type_:
                widen.append((column, declared))
    if wrong:
        raise TableMismatchError(
            f"table {table}: column {'; column '.join(wrong)}. Change the sink (a cast, or a rename to a new "
            "column), or load into another table: Headrace only ever adds columns, and widens numbers and texts"
        )
    return Changes([column for column in wanted if column.name not in existing], widen, texts)


def _family(existing: str) -> str | None:
    match = _TYPE.fullmatch(existing.strip())
    return _FAMILIES.get(match[1].upper()) if match else None


def _held(existing: str, column: TableColumn) -> str | None:
    """The type under which the column can hold the values: `existing` itself, or wider; None when none can."""
    match = _TYPE.fullmatch(existing.strip())
    if match is None or _family(existing) != column.type.family:
        return None
    size, scale = match[2], match[3]
    match column.type.family:
        case "TIMESTAMP_NTZ":
            # Repeats are recognised by event time to the millisecond.
            return existing if size is None or int(size) >= _LEAST_TIMESTAMP_DIGITS else None
        case "VARCHAR":
            return existing if size is None or int(size) >= _LONGEST_TEXT else "VARCHAR"
        case "NUMBER":
            return _number(existing, int(size or 38), int(scale or 0), column.type.declared)
    # A narrower BINARY is not judged here: rows that it refuses are dead-lettered one by one.
    return existing


def _number(existing: str, precision: int, scale: int, declared: str) -> str | None:
    """The digits after the point cannot be changed; before it there must be room for those of the sink's."""
    match = _TYPE.fullmatch(declared)
    assert match is not None  # noqa: S101 - `layout` declares it
    wanted_scale = int(match[3])
    if scale < wanted_scale:
        return None
    needed = int(match[2]) - wanted_scale + scale
    if declared == _WHOLE_NUMBER:
        needed = min(needed, _MOST_DIGITS)  # a 64-bit number has 19 digits at most
    if precision >= needed:
        return existing
    return f"NUMBER({needed},{scale})" if needed <= _MOST_DIGITS else None
