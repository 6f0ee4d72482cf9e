"""Flink's complaints in the words of the manifest: the generated statements around a job's SQL are not the user's.

The runner tells the statement that Flink refused and the place in it; `render_sql` wrote the statement around the SQL.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from headrace.core.columns import quote
from headrace.core.sql.render import RESULT

_NO_COLUMN = re.compile(r"Column '(?P<column>[^']+)' not found")
_WRONG_TYPE = re.compile(r"Incompatible types for sink column '(?P<column>[^']+)'")


def in_words_of_the_manifest(error: Mapping[str, Any]) -> str:
    """One or two lines from the runner's error: message, and maybe statement, line and column within it."""
    message, statement = str(error["message"]), str(error.get("statement") or "")
    if match := _WRONG_TYPE.search(message):
        return f"column {match['column']!r} of its SELECT is not of the type that the output's schema declares"
    if statement.startswith("INSERT INTO") and (match := _NO_COLUMN.search(message)):
        return f"its SELECT gives no column {match['column']!r}, which the output's schema has"
    if "line" not in error:
        return message
    # The view's first line stands above the user's first.
    above = 1 if statement.startswith(f"CREATE TEMPORARY VIEW {quote(RESULT)} AS\n") else 0
    line = int(error["line"]) - above
    told = re.sub(rf"line {error['line']}\b", f"line {line}", message)
    return told if f"line {line}" in told else f"{told} (line {line} of its sql, column {error.get('column')})"
