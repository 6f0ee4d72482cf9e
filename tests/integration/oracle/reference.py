"""The independent reference: DuckDB says which records are late, repeated or used, and what every window must hold.

Sessions are simulated record by record instead: whether a row is late depends on which sessions of its key are open.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import duckdb

BOUND_MS = 2_000
WINDOW_MS, SLIDE_MS, SIZE_MS, GAP_MS, WITHIN_MS = 10_000, 5_000, 20_000, 6_000, 10_000

Place = tuple[int, int]
"""Partition and offset."""
Row = tuple[Any, ...]
Record = tuple[int, int, str | None, str | None, int | None, float | None]
"""Partition, offset, id, user, time (epoch ms), amount; all but the place None where it is malformed."""

# From which watermark on a row is late, by kind of job.
DEADLINES = {
    "tumble": f"(ts // {WINDOW_MS} + 1) * {WINDOW_MS} - 1",
    "hop": f"ts // {SLIDE_MS} * {SLIDE_MS} + {SIZE_MS} - 1",
    "over": "ts",
}

RESULTS = {
    "tumble": f"""
        SELECT user_id, ts // {WINDOW_MS} * {WINDOW_MS} AS start, COUNT(*), SUM(amount) FROM used GROUP BY 1, 2""",
    "hop": f"""
        SELECT user_id, ts // {SLIDE_MS} * {SLIDE_MS} - step * {SLIDE_MS} AS start, COUNT(*), SUM(amount)
        FROM used, range({SIZE_MS // SLIDE_MS}) AS steps(step)
        -- A row that comes when some of its windows have closed counts in those that are open.
        WHERE mark IS NULL OR ts // {SLIDE_MS} * {SLIDE_MS} - step * {SLIDE_MS} + {SIZE_MS} - 1 > mark
        GROUP BY 1, 2""",
    "over": f"""
        SELECT user_id, event_id, COUNT(*) OVER around, SUM(amount) OVER around FROM used
        WINDOW around AS (PARTITION BY user_id ORDER BY ts RANGE BETWEEN {WITHIN_MS} PRECEDING AND CURRENT ROW)""",
    "pass": "SELECT user_id, event_id, ts, amount FROM used",
}


class Reference:
    """Answers for the records of one partition, in their order."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._db = duckdb.connect()
        self._records = sorted(records)
        self._db.execute(
            "CREATE TABLE records (part INT, pos BIGINT, event_id TEXT, user_id TEXT, ts BIGINT, amount DOUBLE)"
        )
        columns = list(zip(*self._records, strict=True))
        self._db.execute(
            "INSERT INTO records SELECT unnest(?), unnest(?), unnest(?), unnest(?), unnest(?), unnest(?)",
            [list(column) for column in columns],
        )
        # `mark`: the watermark before each record, when it follows every record of one partition.
        self._db.execute(f"""
            CREATE TABLE marked AS SELECT *, MAX(ts) OVER (
                PARTITION BY part ORDER BY pos ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) - {BOUND_MS} AS mark
            FROM records WHERE ts IS NOT NULL""")

    def malformed(self) -> set[Place]:
        return set(self._db.execute("SELECT part, pos FROM records WHERE ts IS NULL").fetchall())

    def late(self, kind: str) -> set[Place]:
        """The records that are late for a job of that kind."""
        if kind == "session":
            return self.sessions()[1]
        if kind == "pass":
            return set()
        late = f"SELECT part, pos FROM marked WHERE {DEADLINES[kind]} <= mark"
        return set(self._db.execute(late).fetchall())

    def results(self, kind: str, late: set[Place]) -> list[Row]:
        """Rows in order, when those records were late."""
        self._db.execute("CREATE OR REPLACE TEMP TABLE late (part INT, pos BIGINT)")
        if late:
            parts, positions = zip(*late, strict=True)
            self._db.execute("INSERT INTO late SELECT unnest(?), unnest(?)", [list(parts), list(positions)])
        # An id counts once: its first record that is not late.
        self._db.execute("""
            CREATE OR REPLACE TEMP TABLE used AS
            SELECT * FROM marked ANTI JOIN late USING (part, pos)
            QUALIFY ROW_NUMBER() OVER (PARTITION BY event_id ORDER BY part, pos) = 1""")
        return sorted(self._db.execute(RESULTS[kind]).fetchall())

    def sessions(self) -> tuple[list[Row], set[Place]]:
        """Rows (user, start, end, count, sum) and late records, of one partition."""
        open_: dict[str, list[_Session]] = defaultdict(list)
        closed: list[_Session] = []
        late: set[Place] = set()
        used: set[str] = set()
        newest: int | None = None
        for part, pos, event_id, user, at, amount in self._records:
            if at is None or event_id is None or user is None or amount is None:
                continue
            mark = None if newest is None else newest - BOUND_MS
            sessions = open_[user]
            if mark is not None:
                closed += [session for session in sessions if session.end - 1 <= mark]
                sessions[:] = [session for session in sessions if session.end - 1 > mark]
            newest = at if newest is None else max(newest, at)
            mine = [s for s in sessions if at <= s.end and at + GAP_MS >= s.start]
            if mark is not None and at + GAP_MS - 1 <= mark and not mine:
                late.add((part, pos))
            elif event_id not in used:
                used.add(event_id)
                whole = _Session(user, at, at + GAP_MS, 1, amount).joined(mine)
                sessions[:] = [session for session in sessions if session not in mine] + [whole]
        closed += [session for sessions in open_.values() for session in sessions]
        return sorted((s.user, s.start, s.end, s.count, s.total) for s in closed), late


class _Session:
    __slots__ = ("count", "end", "start", "total", "user")

    def __init__(self, user: str, start: int, end: int, count: int, total: float) -> None:
        self.user, self.start, self.end, self.count, self.total = user, start, end, count, total

    def joined(self, others: Sequence[_Session]) -> _Session:
        every = [self, *others]
        return _Session(
            self.user,
            min(s.start for s in every),
            max(s.end for s in every),
            sum(s.count for s in every),
            sum(s.total for s in every),
        )


def differences(expected: Iterable[Row], found: Iterable[Row], limit: int = 5) -> Mapping[str, Any]:
    """What is missing and what is too much, a few of each; empty when all agree, also in how often."""
    counts: dict[Row, int] = defaultdict(int)
    for row in expected:
        counts[row] += 1
    for row in found:
        counts[row] -= 1
    missing = sorted(row for row, count in counts.items() if count > 0)
    more = sorted(row for row, count in counts.items() if count < 0)
    return (
        {"missing": (len(missing), missing[:limit]), "too much": (len(more), more[:limit])} if missing or more else {}
    )
