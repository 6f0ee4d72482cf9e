"""Every record of a job's input gets exactly one outcome, and nothing of it is lost on the way."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

pytestmark = pytest.mark.integration

START = datetime(2026, 11, 22, 19, tzinfo=UTC)
OUTPUTS = ("page_views", "home_clicks", "dead-letters")


def event(event_id: str, seconds: float, page: str = "/home", user: str = "u1") -> bytes:
    """A click, `seconds` after 19:00, in the order of fields that the schema has."""
    at = (START + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")
    return json.dumps({"event_id": event_id, "user_id": user, "page": page, "occurred_at": at}).encode()


def views(messages: list[Any]) -> dict[tuple[str, str], int]:
    rows = [json.loads(message.value()) for message in messages]
    return {(row["page"], row["window_start"]): row["views"] for row in rows}


def test_malformed_late_duplicate_and_used_records_each_go_one_way(stream: Any) -> None:
    clicks = stream.topic("clicks", partitions=1)
    for name in OUTPUTS:
        stream.topic(name)
    (job,) = stream.start(stream.document("page-views"))

    stream.send("clicks", [(b"u1", event("e1", 1)), (b"u1", event("e1", 1)), (b"u2", event("e2", 2, user="u2"))])
    stream.send("clicks", [(b"u1", b"not json"), (None, None), (b"u1", event("e3", 3).replace(b'"/home"', b"7"))])
    # The watermark is 5 s behind: 19:02:05 closes the windows of 19:00 and 19:01. It moves with the clock, so the
    # late record is sent once the closed window is there to be read.
    stream.send("clicks", [(b"u1", event("e4", 126))])
    stream.await_records("page_views", 1)
    late = event("e5", 30)
    stream.send("clicks", [(b"u1", late), (b"u1", event("e6", 122, page="/adv")), (b"u1", event("e7", 200))])

    results = stream.await_records("page_views", 3)
    assert views(results) == {
        ("/home", "2026-11-22T19:00:00Z"): 2,
        ("/home", "2026-11-22T19:02:00Z"): 1,
        ("/adv", "2026-11-22T19:02:00Z"): 1,
    }
    assert {message.key() for message in results} >= {b'{"page":"/home","window_start":"2026-11-22T19:00:00Z"}'}

    letters = {message.value(): message for message in stream.await_records("dead-letters", 4)}
    assert set(letters) == {b"not json", None, event("e3", 3).replace(b'"/home"', b"7"), late}
    headers = dict(letters[late].headers())
    assert headers["headrace.accepted"] == b"1"  # the original headers stay
    assert headers["headrace.dlq.reason"] == b"Late"
    assert headers["headrace.dlq.stage"] == b"job/page-views"
    assert headers["headrace.dlq.topic"].decode() == clicks
    assert (headers["headrace.dlq.partition"], headers["headrace.dlq.offset"]) == (b"0", b"7")
    assert headers["headrace.dlq.attempt"] == b"1"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", headers["headrace.dlq.time"].decode())
    assert dict(letters[None].headers())["headrace.dlq.reason"] == b"Malformed"
    assert letters[None].key() is None
    assert letters[late].key() == b"u1"
    stream.await_counters(job, {"read": 10, "malformed": 3, "late": 1, "duplicate": 1, "used": 5})


def test_a_pass_through_job_calls_nothing_late_and_passes_each_id_once(stream: Any) -> None:
    stream.topic("clicks", partitions=2)
    for name in OUTPUTS:
        stream.topic(name)
    stream.start(stream.document("home-clicks"))
    stream.send("clicks", [(b"u1", event(f"e{n}", n * 100)) for n in range(50)])
    stream.send("clicks", [(b"u1", event(f"e{n}", n * 100)) for n in range(50)])
    stream.send("clicks", [(b"u1", event("old", -1000)), (b"u1", b"{}")])
    ids = [json.loads(m.value())["event_id"] for m in stream.await_records("home_clicks", 51)]
    stream.await_records("dead-letters", 1)
    # An id is remembered for an hour of event time; e0 to e8 are older than that when they come again.
    assert sorted(set(ids)) == sorted(["old", *(f"e{n}" for n in range(50))])
    assert len(ids) == len(set(ids)) + sum(1 for n in range(50) if ids.count(f"e{n}") == 2)


def test_a_retry_of_an_event_that_came_old_is_still_a_duplicate(stream: Any) -> None:
    """Nothing is late in a pass-through job: also an event older than the id's window of an hour must come out once."""
    stream.topic("clicks", partitions=1)
    for name in OUTPUTS:
        stream.topic(name)
    document = stream.document("home-clicks", lambda text: text.replace('"hashmap"', '"rocksdb"'))
    (job,) = stream.start(document)
    stream.send("clicks", [(b"u1", event("new", 0))])
    stream.await_watermark(job, START - timedelta(seconds=5.002))
    stream.send("clicks", [(b"u1", event("old", -7200)), (b"u1", event("newer", 60))])
    stream.await_watermark(job, START + timedelta(seconds=54.998))
    stream.send("clicks", [(b"u1", event("old", -7200)), (b"u1", event("newest", 120))])
    clicks = stream.await_records("home_clicks", 4)
    assert [json.loads(message.value())["event_id"] for message in clicks] == ["new", "old", "newer", "newest"]
    stream.await_counters(job, {"read": 5, "malformed": 0, "late": 0, "duplicate": 1, "used": 4})


def test_without_id_and_event_time_every_row_is_used(stream: Any) -> None:
    stream.topic("clicks")
    for name in OUTPUTS:
        stream.topic(name)

    def plain(text: str) -> str:
        text = re.sub(r",\\n  WATERMARK FOR [^\\]*(?=\\n)", "", text)
        text = re.sub(r"  'headrace\.[a-z.]+' = '[^']*',?\\n", "", text)
        text = re.sub(r"  'scan\.watermark[^\\]*\\n", "", text)
        return text.replace("'EXCEPT_KEY',\\n  'value.headrace", "'EXCEPT_KEY',\\n  'value.headrace").replace(
            "event_id;user_id;page;occurred_at',\\n)", "event_id;user_id;page;occurred_at'\\n)"
        )

    (job,) = stream.start(stream.document("home-clicks", plain))
    stream.send("clicks", [(b"u1", event("e1", 1)), (b"u1", event("e1", 1)), (b"u1", b"[]")])
    assert len(stream.await_records("home_clicks", 2)) == 2
    assert len(stream.await_records("dead-letters", 1)) == 1
    stream.await_counters(job, {"read": 3, "malformed": 1, "late": 0, "duplicate": 0, "used": 2})


def test_an_idle_partition_does_not_hold_windows_back(stream: Any) -> None:
    stream.topic("clicks", partitions=2)
    for name in OUTPUTS:
        stream.topic(name)
    stream.start(stream.document("page-views", lambda text: text.replace("30000 ms", "500 ms")))
    stream.send("clicks", [(b"u1", event("e1", 1))], partition=0)
    stream.send("clicks", [(b"u1", event("e2", 300))], partition=0)
    assert views(stream.await_records("page_views", 1)) == {("/home", "2026-11-22T19:00:00Z"): 1}


@pytest.mark.parametrize("parallelism", [2])
def test_outcomes_are_the_same_on_several_instances(stream: Any, parallelism: int) -> None:
    stream.topic("clicks", partitions=2)
    for name in OUTPUTS:
        stream.topic(name)
    document = stream.document(
        "page-views",
        lambda text: text.replace('"parallelism": 1', f'"parallelism": {parallelism}').replace("30000 ms", "500 ms"),
    )
    (job,) = stream.start(document)
    for partition in (0, 1):  # each event is there twice, once per partition
        stream.send("clicks", [(b"u", event(f"e{n}", n % 50)) for n in range(200)], partition=partition)
    stream.send("clicks", [(b"u", b"bad")], partition=1)
    stream.send("clicks", [(b"u", event("end", 300))], partition=0)
    assert views(stream.await_records("page_views", 1)) == {("/home", "2026-11-22T19:00:00Z"): 200}
    assert len(stream.await_records("dead-letters", 1)) == 1
    stream.await_counters(job, {"read": 402, "malformed": 1, "late": 0, "duplicate": 200, "used": 201})
