"""Random events through real jobs, against DuckDB: every row as it must be, and what is missing is exactly what the
dead-letter topic holds, each record once per job."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Any

import httpx
import pytest
from tests.integration.flink.conftest import until
from tests.integration.oracle.conftest import OraclePipeline
from tests.integration.oracle.records import puts, random_events
from tests.integration.oracle.reference import Record, Reference, Row, differences

from headrace_apps.demo.moments import epoch_ms

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

JOBS = ("tumble", "hop", "session", "over", "pass")
# What a job makes of a row does not depend on the row's format. `make oracle` runs all of them all the same.
QUICK = {"JSON": JOBS, "Avro": ("tumble", "session"), "Protobuf": ("hop", "over")}
Make = Callable[..., OraclePipeline]


def rows_of(kind: str, pipeline: OraclePipeline) -> list[Row]:
    """What the job wrote, in the reference's terms."""
    rows: list[Row] = []
    for message in pipeline.stream.read(kind):
        row = json.loads(message.value() or b"")
        match kind:
            case "session":
                rows.append(
                    (row["user_id"], epoch_ms(row["from"]), epoch_ms(row["until"]), row["events"], row["total"])
                )
            case "over":
                rows.append((row["user_id"], row["event_id"], row["events"], row["total"]))
            case "pass":
                rows.append((row["user_id"], row["event_id"], epoch_ms(row["at"]), row["total"]))
            case _:
                rows.append((row["user_id"], epoch_ms(row["from"]), row["events"], row["total"]))
    return rows


def letters_of(pipeline: OraclePipeline) -> dict[tuple[str, str], list[tuple[int, int, bytes | None]]]:
    """By stage and reason: the place and the bytes of each record that a dead letter is about."""
    letters: dict[tuple[str, str], list[tuple[int, int, bytes | None]]] = {}
    for message in pipeline.stream.read("dead-letters"):
        headers = dict(message.headers() or ())
        about = {name: v.decode() if isinstance(v, bytes) else str(v) for name, v in headers.items()}
        place = (int(about["headrace.dlq.partition"]), int(about["headrace.dlq.offset"]), message.value())
        letters.setdefault((about["headrace.dlq.stage"], about["headrace.dlq.reason"]), []).append(place)
    return letters


def record(place: tuple[int, int], event: dict[str, Any] | None) -> Record:
    if event is None:
        return (*place, None, None, None, None)
    return (*place, event["event_id"], event["user_id"], event["at"], event["amount"])


@pytest.mark.parametrize("format_", ["JSON", "Avro", "Protobuf"])
def test_every_record_of_one_partition_has_the_outcome_that_duckdb_says(
    oracle_pipeline: Make, format_: str, event_count: int, all_jobs: bool
) -> None:
    """One partition, and a watermark after each record: what is late is no matter of time, so all of it is compared."""
    rng = Random(f"{format_} {event_count}")
    pipeline = oracle_pipeline(format_, bounded=True, partitions=1)
    events = random_events(rng, event_count)
    sent = puts(events, pipeline.encode, rng)
    places = pipeline.put(sent, lambda _: 0)
    bytes_at = {place: one.value for place, one in zip(places, sent, strict=True)}
    reference = Reference([record(place, event) for place, event in zip(places, events, strict=True)])

    jobs = JOBS if all_jobs else QUICK[format_]
    finished(pipeline, jobs)

    letters = letters_of(pipeline)
    sessions, late_for_sessions = reference.sessions()
    expected_letters = {}
    for kind in jobs:
        late = late_for_sessions if kind == "session" else reference.late(kind)
        assert (kind == "pass") == (not late), f"nothing is late for {kind}: the test would prove nothing"
        expected = sessions if kind == "session" else reference.results(kind, late)
        assert differences(expected, rows_of(kind, pipeline)) == {}, kind
        for reason, about in (("Late", late), ("Malformed", reference.malformed())):
            if about:
                expected_letters[f"job/{kind}", reason] = [(*place, bytes_at[place]) for place in sorted(about)]
    assert set(letters) == set(expected_letters)
    for stage, expected_places in expected_letters.items():
        assert differences(expected_places, letters[stage]) == {}, stage


def finished(pipeline: OraclePipeline, jobs: Sequence[str]) -> None:
    """Runs the jobs to their end."""
    outcomes = pipeline.stream.run(*pipeline.documents(jobs))
    assert all("jobId" in outcome for outcome in outcomes), outcomes
    for outcome in outcomes:
        until(f"{outcome} ends", partial(_is_finished, pipeline, outcome["jobId"]), 900)
        pipeline.stream.jobs.remove(outcome["jobId"])


def _is_finished(pipeline: OraclePipeline, job: str) -> bool:
    state = str(httpx.get(f"{pipeline.stream.rest}/jobs/{job}", trust_env=False, timeout=20).json()["state"])
    assert state not in ("FAILED", "CANCELED"), f"job {job} is {state}"
    return state == "FINISHED"
