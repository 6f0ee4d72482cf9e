"""A job that is killed or cancelled goes on where it was: nothing twice, nothing missing, late stays late."""

from __future__ import annotations

import json
import os
import signal
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

pytestmark = pytest.mark.integration

START = datetime(2026, 11, 22, 19, tzinfo=UTC)
OUTPUTS = ("page_views", "home_clicks", "dead-letters")


def event(event_id: str, seconds: float, page: str = "/home") -> bytes:
    at = (START + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")
    return json.dumps({"event_id": event_id, "user_id": "u1", "page": page, "occurred_at": at}).encode()


def test_a_killed_task_manager_costs_no_event_and_repeats_none(stream: Any, services: Any) -> None:
    stream.topic("clicks", partitions=2)
    for name in OUTPUTS:
        stream.topic(name)
    (job,) = stream.start(stream.document("home-clicks"))
    stream.send("clicks", [(f"u{n}".encode(), event(f"a{n}", n % 100)) for n in range(5000)])
    stream.checkpoint(job)
    stream.send("clicks", [(f"u{n}".encode(), event(f"b{n}", n % 100)) for n in range(5000)])
    os.kill(services.supervisor.running["flink-taskmanager"].pid, signal.SIGKILL)
    stream.send("clicks", [(f"u{n}".encode(), event(f"c{n}", n % 100)) for n in range(5000)])
    stream.send("clicks", [(f"u{n}".encode(), event(f"a{n}", n % 100)) for n in range(0, 5000, 10)])  # again

    expected = {f"{group}{n}" for group in "abc" for n in range(5000)}
    ids = [json.loads(m.value())["event_id"] for m in stream.await_records("home_clicks", 15_000, deadline=150)]
    assert len(ids) == len(set(ids))
    assert set(ids) == expected
    stream.settled(job)
    assert len(stream.read("home_clicks")) == 15_000


def test_a_job_resumed_from_its_checkpoint_knows_what_was_late_and_what_was_used(stream: Any) -> None:
    stream.topic("clicks", partitions=1)
    for name in OUTPUTS:
        stream.topic(name)
    document = stream.document("page-views")
    (job,) = stream.start(document)
    stream.send("clicks", [(b"u1", event("e1", 1)), (b"u1", event("e2", 130)), (b"u1", event("e3", 131))])
    stream.await_records("page_views", 1)
    _, path = stream.settled(job)
    stream.cancel(job)

    # Without a restored watermark the first of these would pass the operator and be dropped by the window unseen.
    late, again = event("e4", 30), event("e2", 130)
    stream.send("clicks", [(b"u1", late), (b"u1", again), (b"u1", event("e5", 132)), (b"u1", event("e6", 400))])
    (job,) = stream.start(document, options=["--from-state", path])
    results = stream.await_records("page_views", 2)
    assert [json.loads(message.value())["views"] for message in results] == [1, 3]
    assert [message.value() for message in stream.await_records("dead-letters", 1)] == [late]
    stream.await_counters(job, {"read": 4, "malformed": 0, "late": 1, "duplicate": 1, "used": 2})
