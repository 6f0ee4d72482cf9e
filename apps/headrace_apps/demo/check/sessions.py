"""Sessions by hand: events of one key, in order of time, cut where more than the gap lies between two. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from headrace_apps.demo.check.expectation import Row


def sessions_of(rows: Iterable[Row], time_field: str, gap_ms: int) -> Iterator[tuple[int, int, list[Row]]]:
    """Start, end (the last event's time and the gap) and events of each session; times in epoch milliseconds."""
    session: list[Row] = []
    for row in sorted(rows, key=lambda row: row[time_field]):
        if session and row[time_field] - session[-1][time_field] > gap_ms:
            yield _closed(session, time_field, gap_ms)
            session = []
        session.append(row)
    if session:
        yield _closed(session, time_field, gap_ms)


def _closed(session: list[Row], time_field: str, gap_ms: int) -> tuple[int, int, list[Row]]:
    return session[0][time_field], session[-1][time_field] + gap_ms, session
