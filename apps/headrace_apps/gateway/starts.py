"""Where a read of events begins, as a query says it. Pure; `events` turns it into positions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from headrace_apps.gateway.problems import Problem

MAX_OFFSET = 2**63 - 1
_MILLIS = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True, slots=True)
class Start:
    """Where a read begins; at most one of `cursor`, `offset`, `timestamp` (epoch ms) and `edge`."""

    partition: int | None = None
    offset: int | None = None
    timestamp: int | None = None
    edge: Literal["earliest", "latest"] | None = None
    cursor: str | None = None


def parse_timestamp(text: str) -> int:
    """RFC 3339 with an offset, or epoch milliseconds, to epoch milliseconds. Raises Problem 422."""
    if _MILLIS.fullmatch(text):
        return int(text)
    try:
        # In a query a bare `+` is a space; an offset is where people meet that.
        moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        if moment.tzinfo is not None:
            return max(0, int(moment.timestamp() * 1000))
    except (ValueError, OverflowError):
        pass
    detail = f"timestamp={text[:60]!r} is neither RFC 3339 with an offset nor epoch milliseconds."
    raise Problem(422, "invalid-parameters", detail)


def parse_start(
    *,
    partition: int | None,
    offset: int | None,
    timestamp: str | None,
    edge: Literal["earliest", "latest"] | None,
    cursor: str | None,
) -> Start:
    """The query's own rules. Raises Problem 422."""
    given = {"offset": offset, "timestamp": timestamp, "from": edge, "cursor": cursor}
    named = [name for name, value in given.items() if value is not None]
    if len(named) > 1:
        detail = f"Say where to begin once, not by {' and '.join(named)}."
        raise Problem(422, "invalid-parameters", detail)
    if offset is not None and partition is None:
        raise Problem(422, "invalid-parameters", "An offset belongs to a partition: give partition too.")
    if cursor is not None and partition is not None:
        raise Problem(422, "invalid-parameters", "A cursor names its partitions: leave partition out.")
    millis = parse_timestamp(timestamp) if timestamp is not None else None
    return Start(partition, offset, millis, edge, cursor)
