"""What a table lacks for its sink, and what it has that cannot hold the sink's values. Pure; `sink` applies it.

Columns are added, never narrowed, changed or dropped. Columns that the sink does not know stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from headrace_apps.loader.layout import TableColumn

_FAMILIES = {
    "VARCHAR": "VARCHAR", "TEXT": "VARCHAR", "STRING": "VARCHAR", "CHAR": "VARCHAR",
    "NUMBER": "NUMBER", "DECIMAL": "NUMBER", "NUMERIC": "NUMBER", "INT": "NUMBER", "BIGINT": "NUMBER",
    "FLOAT": "FLOAT", "DOUBLE": "FLOAT", "REAL": "FLOAT",
    "BOOLEAN": "BOOLEAN", "DATE": "DATE", "TIMESTAMP_NTZ": "TIMESTAMP_NTZ", "VARIANT": "VARIANT",
}  # fmt: skip
_LEAST_TIMESTAMP_DIGITS = 3


class TableMismatchError(ValueError):
    """The table has a column that cannot hold what the sink loads; only its owner can decide what to do."""


def diff_table(table: str, wanted: Sequence[TableColumn], existing: Mapping[str, str]) -> list[TableColumn]:
    """The columns to add. `existing` maps the table's column names to their types, as DESCRIBE TABLE tells them.

    Raises TableMismatchError that names every column of another type.
    """
    wrong = [
        f"{column.name} is {existing[column.name]}, the sink loads {column.type.declared}"
        for column in wanted
        if column.name in existing and not _holds(existing[column.name], column)
    ]
    if wrong:
        raise TableMismatchError(
            f"table {table}: column {'; column '.join(wrong)}. Change the sink (a cast, or a rename to a new "
            "column), or load into another table: Headrace never changes a column that exists"
        )
    return [column for column in wanted if column.name not in existing]


def _holds(existing: str, column: TableColumn) -> bool:
    """Same family of types. A narrower size is not judged here: rows that it refuses are dead-lettered one by one."""
    match = re.match(r"\s*(\w+)\s*(?:\(\s*(\d+))?", existing.upper())
    if match is None or _FAMILIES.get(match[1]) != column.type.family:
        return False
    if column.type.family == "TIMESTAMP_NTZ" and match[2] is not None:
        # Repeats are recognised by event time to the millisecond.
        return int(match[2]) >= _LEAST_TIMESTAMP_DIGITS
    return True
