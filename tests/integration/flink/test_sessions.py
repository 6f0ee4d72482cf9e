"""Late for a session window means late for Flink's own: nothing used is dropped, nothing it would take is dead-lettered."""

from __future__ import annotations

import json
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.integration.flink.conftest import until

pytestmark = pytest.mark.integration

START = datetime(2026, 11, 22, 19, tzinfo=UTC)
GAP, BEHIND = 10_000, 5_000  # milliseconds, of the golden document
ROWS = 4_000
Row = tuple[str, int]
Session = tuple[str, int, int, int]


def visits(seed: int) -> list[Row]:
    """User and milliseconds; time goes on, most rows are near it and some far behind. In tenths of a second, so that
    rows come at a session's very edge."""
    chance = random.Random(seed)
    now, rows = 0, []
    for _ in range(ROWS):
        now += chance.choice((0, 100, 300, 1_000, 2_500))
        behind = chance.choice((0, 0, 100, 3_000, 9_900, 10_000, 14_900, 15_000, 15_100, 20_000, 40_000))
        rows.append((f"u{chance.randrange(12)}", max(0, now - behind)))
    return rows


def by_reference(rows: list[Row]) -> tuple[Counter[Session], list[int]]:
    """Flink's session window, whose watermark follows each row: the sessions, and the places of the rows it drops."""
    sessions: dict[str, list[list[int]]] = {}
    done: Counter[Session] = Counter()
    dropped, watermark = [], -(2**63)
    for place, (user, at) in enumerate(rows):
        mine = sessions.setdefault(user, [])
        for closed in [one for one in mine if one[1] - 1 <= watermark]:
            mine.remove(closed)
            done[user, closed[0], closed[1], closed[2]] += 1
        touched = [one for one in mine if one[0] <= at + GAP and one[1] >= at]
        start, end = min([at, *(one[0] for one in touched)]), max([at + GAP, *(one[1] for one in touched)])
        if end - 1 <= watermark:
            dropped.append(place)
        else:
            for one in touched:
                mine.remove(one)
            mine.append([start, end, 1 + sum(one[2] for one in touched)])
            watermark = max(watermark, at - BEHIND)
    for user, mine in sessions.items():
        done.update((user, start, end, count) for start, end, count in mine)
    return done, dropped


def text(at: int) -> str:
    return (START + timedelta(milliseconds=at)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def millis(at: str) -> int:
    return round((datetime.fromisoformat(at) - START).total_seconds() * 1000)


def test_late_is_what_flinks_session_window_would_drop(stream: Any) -> None:
    for name in ("visits", "sessions", "dead-letters"):
        stream.topic(name, partitions=1)
    rows = visits(seed=5)
    values = [
        json.dumps({"user_id": user, "page": f"/{place}", "occurred_at": text(at)}).encode()
        for place, (user, at) in enumerate(rows)
    ]
    stream.send("visits", [(user.encode(), value) for (user, _), value in zip(rows, values, strict=True)])
    bounded = "'scan.bounded.mode' = 'latest-offset',\\n  'scan.watermark.emit.strategy' = 'on-event'"
    document = stream.document(
        "sessions", lambda golden: golden.replace("'scan.watermark.idle-timeout' = '30000 ms'", bounded)
    )
    (outcome,) = stream.run(document)
    until("the job ends", lambda: stream.get(f"/jobs/{outcome['jobId']}")["state"] == "FINISHED")
    stream.jobs.clear()

    expected, dropped = by_reference(rows)
    assert 100 < len(dropped) < ROWS - 100
    assert [message.value() for message in stream.read("dead-letters")] == [values[place] for place in dropped]
    found = [json.loads(message.value()) for message in stream.read("sessions")]
    sessions = Counter(
        (row["user_id"], millis(row["window_start"]), millis(row["window_end"]), row["pages"]) for row in found
    )
    assert sum(row["pages"] for row in found) == ROWS - len(dropped)
    assert sessions == expected
