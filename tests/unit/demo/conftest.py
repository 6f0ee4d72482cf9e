"""A small run in which everything went right: what was sent, and what each place would hold."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from headrace_apps.demo.check.observed import Observed, Record
from headrace_apps.demo.clickstream import MARK, WINDOW_MS, epoch_ms, rfc3339, window_start
from headrace_apps.demo.ledger import Answer, Entry, Kind, Outcome, Sent
from headrace_apps.demo.malformed import malformed_records
from headrace_apps.demo.replay import read_purchases
from headrace_apps.demo.stream import ClickStream, Mix

STARTED = 1_780_000_003_000


@pytest.fixture(scope="session")
def sent() -> list[Sent]:
    """Twenty-five seconds of traffic with every kind of event in it, in order of sending."""
    rng = Random(7)
    stream = ClickStream(rng, Mix(duplicates=0.05, invalid=0.02), read_purchases()[:40])
    events = [s for tick in range(250) for s in stream.next_batch(STARTED + tick * 100, 4)]
    events += stream.take_held(STARTED + 10**9)
    events += malformed_records(rng)
    events += stream.late_events(STARTED, 6)
    return events + stream.closing_events(0, 12)


def _place(key: bytes | None) -> int:
    return sum(key or b"") % 6


@pytest.fixture(scope="session")
def run(sent: list[Sent]) -> tuple[list[Entry], Observed]:
    """The ledger and what a faultless pipeline leaves of it."""
    ledger: list[Entry] = []
    clicks: list[Record] = []
    ends: dict[int, int] = defaultdict(int)
    for one in sent:
        if one.kind is Kind.INVALID:
            ledger.append(Entry(one, Answer(Outcome.REFUSED)))
            continue
        if one.kind is Kind.MALFORMED:
            key, value, headers = b"external", one.raw, ((MARK, one.id.encode()),)
        else:
            assert one.event is not None
            key, value = str(one.event["user_id"]).encode(), json.dumps(one.event).encode()
            headers = (("headrace.accepted", b"1780000000000"),)
        partition = _place(key)
        clicks.append(Record(partition, ends[partition], key, value, headers))
        ledger.append(Entry(one, Answer(Outcome.ACCEPTED, partition, ends[partition])))
        ends[partition] += 1
    return ledger, _faultless(ledger, clicks)


def _faultless(ledger: list[Entry], clicks: list[Record]) -> Observed:
    places = {(c.partition, c.offset): c for c in clicks}
    once: dict[str, tuple[Sent, Record]] = {}
    letters: list[Record] = []
    for entry in ledger:
        if entry.answer.outcome is Outcome.REFUSED:
            continue
        record = places[entry.answer.partition, entry.answer.offset]  # type: ignore[index]
        match entry.sent.kind:
            case Kind.MALFORMED:
                stages = [("job/page-views", "Malformed"), ("job/clean-clicks", "Malformed")]
                for stage, reason in [*stages, ("sink/raw-clicks", "Unloadable")]:
                    letters.append(_letter(record, stage, reason, len(letters)))
            case Kind.LATE:
                letters.append(_letter(record, "job/page-views", "Late", len(letters)))
                once[entry.sent.id] = (entry.sent, record)
            case _:
                once.setdefault(entry.sent.id, (entry.sent, record))
    events = [(one, record) for one, record in once.values()]
    views = _views([one for one, _ in events if one.kind not in (Kind.LATE, Kind.CLOSING)])
    return Observed(
        clicks=clicks,
        clean_clicks=[
            replace(record, offset=n, headers=(), value=json.dumps({"referrer": None, **(one.event or {})}).encode())
            for n, (one, record) in enumerate(events)
        ],
        page_views=[
            Record(
                0,
                n,
                json.dumps({k: row[k] for k in ("page", "window_start")}).encode(),
                json.dumps(row).encode(),
            )
            for n, row in enumerate(views)
        ],
        dead_letters=letters,
        table=[_row(one, record) for one, record in events],
        view=views,
    )


def _letter(record: Record, stage: str, reason: str, offset: int) -> Record:
    envelope = {
        "stage": stage,
        "reason": reason,
        "error": "why",
        "topic": "clickstream.clicks",
        "partition": str(record.partition),
        "offset": str(record.offset),
        "attempt": "1",
        "time": "2026-11-22T19:01:00.000Z",
    }
    headers = tuple((f"headrace.dlq.{name}", value.encode()) for name, value in envelope.items())
    return replace(record, partition=0, offset=offset, headers=record.headers + headers)


def _views(events: list[Sent]) -> list[dict[str, Any]]:
    users: dict[tuple[str, int], list[str]] = defaultdict(list)
    for one in events:
        assert one.event is not None
        users[one.event["page"], window_start(epoch_ms(one.event["occurred_at"]))].append(one.event["user_id"])
    return [
        {
            "page": page,
            "window_start": rfc3339(start),
            "window_end": rfc3339(start + WINDOW_MS),
            "views": len(visits),
            "visitors": len(set(visits)),
        }
        for (page, start), visits in users.items()
    ]


def _row(one: Sent, record: Record) -> dict[str, Any]:
    assert one.event is not None
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=epoch_ms(one.event["occurred_at"]))
    return {
        "EVENT_ID": one.id,
        "USER_ID": hashlib.sha256(one.event["user_id"].encode()).hexdigest(),
        "PAGE": one.event["page"],
        "REFERRER": one.event.get("referrer"),
        "AMOUNT": one.event.get("amount"),
        "OCCURRED_AT": at,
        "_TOPIC": "clickstream.clicks",
        "_PARTITION": record.partition,
        "_OFFSET": record.offset,
        "_EVENT_TIME": at.replace(tzinfo=None),
        "_LOADED_AT": at,
    }
