"""The traffic is seeded, has every kind in it, and keeps event time inside the topic's outOfOrderness."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from random import Random

import pytest
import yaml

from headrace_apps.demo import clickstream
from headrace_apps.demo.clickstream import OUT_OF_ORDERNESS_MS, WINDOW_MS, epoch_ms, rfc3339, window_start
from headrace_apps.demo.ledger import Kind, Sent
from headrace_apps.demo.malformed import BREAKS, malformed_records
from headrace_apps.demo.replay import parse_purchases, read_purchases
from headrace_apps.demo.rhythm import Rhythm, daily, steady
from headrace_apps.demo.stream import LATE_BY_MS, MAX_DISORDER_MS, ClickStream, Mix

START = 1_780_000_000_000


def stream_of(seed: int = 1, **mix: float) -> ClickStream:
    return ClickStream(Random(seed), Mix(**mix), read_purchases())  # type: ignore[arg-type]


def times(events: list[Sent]) -> list[int]:
    return [epoch_ms(s.event["occurred_at"]) for s in events if s.event and s.kind is not Kind.INVALID]


def test_the_same_seed_gives_the_same_traffic() -> None:
    batches = [[stream_of(seed).next_batch(START, 200) for _ in range(2)] for seed in (1, 1, 2)]
    assert batches[0] == batches[1]
    assert batches[0] != batches[2]


def test_every_kind_is_in_it_in_its_share() -> None:
    stream = stream_of()
    sent = [s for n in range(200) for s in stream.next_batch(START + n * 50, 50)]
    kinds = Counter(s.kind for s in sent)
    assert set(kinds) == {Kind.CLICK, Kind.REPLAY, Kind.DUPLICATE, Kind.INVALID}
    assert 60 < kinds[Kind.DUPLICATE] < 140
    assert 25 < kinds[Kind.INVALID] < 80
    assert 350 < kinds[Kind.REPLAY] < 650


def test_event_time_never_goes_back_further_than_promised() -> None:
    stream = stream_of(duplicates=0.2, stragglers=0.2)
    order = times([s for n in range(400) for s in stream.next_batch(START + n * 50, 20)])
    newest = 0
    for at in order:
        assert newest - at <= MAX_DISORDER_MS < OUT_OF_ORDERNESS_MS
        newest = max(newest, at)
    assert order != sorted(order)


def test_after_a_pause_stragglers_leave_before_newer_events() -> None:
    stream = stream_of(stragglers=0.5)
    stream.next_batch(START, 50)
    later = START + 10_000
    with pytest.raises(ValueError, match="take_held"):
        stream.next_batch(later, 50)
    assert stream.take_held(later - MAX_DISORDER_MS)
    assert set(times([s for s in stream.next_batch(later, 50) if s.kind is not Kind.DUPLICATE])) == {later}


def test_a_duplicate_repeats_an_earlier_event_whole() -> None:
    stream = stream_of(duplicates=0.3)
    seen: dict[str, object] = {}
    for n in range(50):
        batch = stream.next_batch(START + n * 50, 20)
        assert all(seen[s.id] == s.event for s in batch if s.kind is Kind.DUPLICATE)
        seen |= {s.id: s.event for s in batch}


def test_ids_are_unique_but_for_duplicates() -> None:
    stream = stream_of()
    sent = [s for n in range(100) for s in stream.next_batch(START + n * 50, 50)] + stream.late_events(START, 20)
    assert max(Counter(s.id for s in sent if s.kind is not Kind.DUPLICATE).values()) == 1


def test_late_events_are_half_an_hour_late_and_closing_ones_close_the_last_window() -> None:
    stream = stream_of()
    stream.next_batch(START + 4_000, 10)
    assert all(at < START - LATE_BY_MS + 60_000 for at in times(stream.late_events(START, 10)))
    closing = stream.closing_events(0, 12)
    assert len({s.event["user_id"] for s in closing if s.event}) == 12
    end_of_last = window_start(START + 4_000) + WINDOW_MS
    assert all(at - OUT_OF_ORDERNESS_MS > end_of_last for at in times(closing))


def test_malformed_bytes_come_in_every_kind_and_none_is_a_click() -> None:
    records = malformed_records(Random(3))
    assert len(records) == len(BREAKS) == len({r.id for r in records})
    assert sum(r.raw is None for r in records) == 1


def test_real_purchases_are_there_and_become_clicks() -> None:
    purchases = read_purchases()
    assert len(purchases) == 6_919
    assert len({p.customer for p in purchases}) == 2_357
    [one] = parse_purchases([" 00004 0001 19970118  2   29.73\n"])
    assert one.to_click() == {
        "user_id": "cdnow-0001",
        "page": "/checkout/confirmed",
        "referrer": "cdnow:1997-01-18",
        "amount": 29.73,
    }


def test_the_day_swings_around_its_mean_and_bursts_double_it() -> None:
    day = Rhythm(100, swing=0.4, day_seconds=60)
    assert day.rate_at(15) == pytest.approx(140)
    assert day.rate_at(45) == pytest.approx(60)
    assert sum(day.rate_at(s / 10) for s in range(600)) / 600 == pytest.approx(100)
    assert Rhythm(100, swing=0, bursts=(5.0,)).rate_at(6) == 200
    assert steady(100).rate_at(17) == 100
    assert daily(100, Random(1)).bursts == daily(100, Random(1)).bursts


def test_times_have_milliseconds_and_an_offset() -> None:
    assert rfc3339(1_780_000_000_007) == "2026-05-28T20:26:40.007Z"
    assert epoch_ms("2026-05-28T22:26:40.007+02:00") == 1_780_000_000_007
    with pytest.raises(ValueError, match="no offset"):
        epoch_ms("2026-05-28T22:26:40")


def test_the_figures_are_those_of_the_manifest() -> None:
    path = Path(__file__).parents[3] / "manifests/samples/clickstream/pipeline.yaml"
    manifest = yaml.safe_load(path.read_text())
    spec = manifest["spec"]
    topics = {t["name"]: t for t in spec["topics"]}
    jobs = {j["name"]: j for j in spec["jobs"]}
    assert manifest["metadata"]["name"] == clickstream.PIPELINE
    assert {clickstream.CLICKS, clickstream.CLEAN_CLICKS, clickstream.PAGE_VIEWS} == set(topics)
    assert topics["clicks"]["eventTime"]["outOfOrderness"] == f"{OUT_OF_ORDERNESS_MS // 1000}s"
    assert f"INTERVAL '{WINDOW_MS // 1000}' SECOND" in jobs[clickstream.COUNTING_JOB]["sql"]
    assert {clickstream.COUNTING_JOB, clickstream.CLEANING_JOB} == set(jobs)
    assert set(json.loads(topics["clicks"]["schema"]["definition"])["properties"]) == set(clickstream.FIELDS)
    assert [v["name"] for v in spec["views"]] == [clickstream.VIEW]
    assert [(s["name"], s["snowflake"]["table"]) for s in spec["sinks"]] == [(clickstream.SINK, clickstream.TABLE)]
