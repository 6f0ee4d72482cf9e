"""The traffic of each sample is seeded, has every kind in it, and keeps event time inside the topic's outOfOrderness."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from tests.unit.demo.demo_runs import FRAMED

from headrace_apps.demo.ledger import Kind, Route, Sent
from headrace_apps.demo.moments import epoch_ms, rfc3339
from headrace_apps.demo.rhythm import Rhythm, daily, steady
from headrace_apps.demo.sample import Sample
from headrace_apps.demo.samples import SAMPLES
from headrace_apps.demo.samples.iot.author import Fleet
from headrace_apps.demo.samples.transactions.author import Bank
from headrace_apps.demo.stream import LATE_BY_MS, MAX_DISORDER_MS, EventStream, Mix

START = 1_780_000_000_000
OUT_OF_ORDERNESS_MS = 2_000


@pytest.fixture(params=list(SAMPLES))
def sample(request: pytest.FixtureRequest) -> Sample:
    return SAMPLES[request.param]


def stream_of(sample: Sample, seed: int = 1, **mix: float) -> EventStream:
    rng = Random(seed)
    return EventStream(rng, Mix(**mix), sample.author(rng))  # type: ignore[arg-type]


def times(events: list[Sent]) -> list[int]:
    return [sent.at for sent in events if sent.kind is not Kind.INVALID]


def test_the_same_seed_gives_the_same_traffic(sample: Sample) -> None:
    batches = [[stream_of(sample, seed).next_batch(START, 200) for _ in range(2)] for seed in (1, 1, 2)]
    assert batches[0] == batches[1]
    assert batches[0] != batches[2]


def test_every_kind_is_in_it_in_its_share(sample: Sample) -> None:
    stream = stream_of(sample)
    sent = [s for n in range(200) for s in stream.next_batch(START + n * 50, 50)]
    kinds = Counter(s.kind for s in sent)
    assert {Kind.EVENT, Kind.DUPLICATE, Kind.INVALID} <= set(kinds)
    assert 60 < kinds[Kind.DUPLICATE] < 140
    assert 25 < kinds[Kind.INVALID] < 80


def test_event_time_never_goes_back_further_than_promised(sample: Sample) -> None:
    stream = stream_of(sample, duplicates=0.2, stragglers=0.2)
    order = times([s for n in range(400) for s in stream.next_batch(START + n * 50, 20)])
    newest = 0
    for at in order:
        assert newest - at <= MAX_DISORDER_MS < OUT_OF_ORDERNESS_MS
        newest = max(newest, at)
    assert order != sorted(order)


def test_after_a_pause_stragglers_leave_before_newer_events(sample: Sample) -> None:
    stream = stream_of(sample, stragglers=0.5)
    stream.next_batch(START, 50)
    later = START + 10_000
    with pytest.raises(ValueError, match="take_held"):
        stream.next_batch(later, 50)
    assert stream.take_held(later - MAX_DISORDER_MS)
    assert set(times([s for s in stream.next_batch(later, 50) if s.kind is not Kind.DUPLICATE])) == {later}


def test_a_duplicate_repeats_an_earlier_event_whole_and_on_its_route(sample: Sample) -> None:
    stream = stream_of(sample, duplicates=0.3)
    seen: dict[str, object] = {}
    for n in range(50):
        batch = stream.next_batch(START + n * 50, 20, Route.KAFKA if n % 2 else Route.GATEWAY)
        assert all(seen[s.id] == (s.event, s.route) for s in batch if s.kind is Kind.DUPLICATE)
        assert all(s.route is Route.GATEWAY for s in batch if s.kind is Kind.INVALID)
        seen |= {s.id: (s.event, s.route) for s in batch}


def test_ids_are_unique_but_for_duplicates(sample: Sample) -> None:
    stream = stream_of(sample)
    sent = [s for n in range(100) for s in stream.next_batch(START + n * 50, 50)] + stream.late_events(START, 20)
    assert max(Counter(s.id for s in sent if s.kind is not Kind.DUPLICATE).values()) == 1


def test_late_events_are_half_an_hour_late_and_closing_ones_come_from_many_clients(sample: Sample) -> None:
    stream = stream_of(sample)
    stream.next_batch(START + 4_000, 10)
    assert all(at < START - LATE_BY_MS + 60_000 for at in times(stream.late_events(START, 10)))
    closing = [s for s in stream.closing_events(0, 12) if s.kind is Kind.CLOSING]
    assert len(closing) == 12
    assert all(at - OUT_OF_ORDERNESS_MS > START + 4_000 for at in times(closing))


def test_malformed_bytes_come_in_many_kinds_each_with_its_name(sample: Sample) -> None:
    records = sample.malformed(Random(3), FRAMED)
    assert len(records) == len(dict(records)) >= 15
    assert sum(raw is None for _, raw in records) == 1


def test_no_device_speaks_and_no_card_pays_twice_in_a_millisecond() -> None:
    fleet, bank = Fleet(Random(1)), Bank(Random(1))
    devices, cards = Counter[object](), Counter[object]()
    for n in range(3_000):
        reading, payment = fleet.compose(START + n // 100), bank.compose(START + n // 100)
        devices[reading["device_id"], reading["measured_at"]] += 1
        if "card" in payment:
            cards[payment["card"]["token"], payment["paid_at"]] += 1
    assert devices.most_common(1)[0][1] == cards.most_common(1)[0][1] == 1


def test_a_bank_knows_its_accounts_before_the_first_payment_and_closes_some() -> None:
    bank = Bank(Random(1))
    known = {sent.id for sent in bank.references(START)}
    later = [sent for n in range(1, 500) for sent in bank.references(START + n * 50)]
    assert {sent.id for sent in later} <= known
    assert len(later) > 50
    assert {(sent.event is None, sent.route) for sent in later} == {(False, Route.GATEWAY), (True, Route.KAFKA)}


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
