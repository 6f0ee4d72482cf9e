"""Flink's complaints in the words of the manifest: the generated statements around a job's SQL are not the user's.

The resident planner tells what a SELECT gives and what its output takes, or the statement that Flink refused and the
place in it; `render_sql` wrote the statement around the SQL. Used alike by `up` and by `validate --deep`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headrace.core.columns import quote
from headrace.core.problems import nearest
from headrace.core.sql.render import RESULT

_NO_COLUMN = re.compile(r"Column '(?P<column>[^']+)' not found")
_WRONG_TYPE = re.compile(r"Incompatible types for sink column '(?P<column>[^']+)'")
_WINDOW = ("window_start", "window_end", "window_time")


@dataclass(frozen=True, slots=True)
class Complaint:
    """`line` and `column` count from 1 within the job's own SQL; None where Flink names no place in it."""

    message: str
    hint: str = ""
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        place = f"line {self.line} of its sql, column {self.column}: " if self.line else ""
        return f"{place}{self.message}" + (f" ({self.hint})" if self.hint else "")


def complaints_of(answer: Mapping[str, Any]) -> list[Complaint]:
    """What is wrong with a job, from the planner's answer to a check or a submission; none when it is right."""
    if "error" in answer:
        return [_refused(answer["error"])]
    given = {column["name"]: column["sql"] for column in answer.get("columns", ())}
    taken = {column["name"]: column["sql"] for column in answer.get("output", ())}
    spare = given.keys() - taken.keys()
    return [
        *(
            Complaint(
                f"its SELECT gives no column {name!r}, which the output's schema has",
                f"it gives {', '.join(map(repr, sorted(spare)))} besides: rename with AS" if spare else "",
            )
            for name in answer.get("missing", ())
        ),
        *(
            Complaint(
                f"column {name!r} of its SELECT is {given[name]}; the output's schema makes it {taken[name]}",
                "CAST it in the SELECT, or change the schema",
            )
            for name in answer.get("unfit", ())
        ),
    ]


def left_out(answer: Mapping[str, Any]) -> list[str]:
    """Columns that a SELECT gives and its output does not have: no mistake, but nothing writes them."""
    taken = {column["name"] for column in answer.get("output", ())}
    return [column["name"] for column in answer.get("columns", ()) if column["name"] not in taken]


def _refused(error: Mapping[str, Any]) -> Complaint:
    """From the runner's error: `message`, and maybe `statement`, `line` and `column` within it, `known` columns."""
    message, statement = str(error["message"]), str(error.get("statement") or "")
    if match := _WRONG_TYPE.search(message):
        return Complaint(
            f"column {match['column']!r} of its SELECT is not of the type that the output's schema declares"
        )
    missing = _NO_COLUMN.search(message)
    if missing and statement.startswith("INSERT INTO"):
        return Complaint(f"its SELECT gives no column {missing['column']!r}, which the output's schema has")
    if "line" not in error:
        return Complaint(message)
    # The view's first line stands above the user's first.
    above = 1 if statement.startswith(f"CREATE TEMPORARY VIEW {quote(RESULT)} AS\n") else 0
    line, column = int(error["line"]) - above, error.get("column")
    if missing:
        known = {*error.get("known", ()), *_WINDOW}
        return Complaint(
            f"there is no column {missing['column']!r} here", nearest(missing["column"], known), line, column
        )
    # The place is told in front; the message keeps its own mention of it, in the same count.
    return Complaint(re.sub(rf"line {error['line']}\b", f"line {line}", message), "", line, column)
