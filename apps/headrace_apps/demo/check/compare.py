"""The comparison, one function per place where an event must have arrived. Pure.

A retry may leave one more copy of an event in the raw topic; everywhere behind it an event counts once. What is late
or malformed is decided per record, so its dead letters are compared by the offset of the record they are about.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from headrace_apps.demo.check.dead_letters import compare_dead_letters
from headrace_apps.demo.check.expected import Event, Expected, Views, expected_of, recount
from headrace_apps.demo.check.observed import Observed, Record
from headrace_apps.demo.check.result import Result, compare_each
from headrace_apps.demo.clickstream import CLICKS, MARK, OPTIONAL_FIELDS, epoch_ms, kafka_topic
from headrace_apps.demo.ledger import Entry

CLOSING_PAGE = "/closing"


def compare(ledger: Sequence[Entry], observed: Observed) -> list[Result]:
    """Every check, in the order in which an event travels."""
    by_identity = [(identity_of(record), record) for record in observed.clicks]
    expected = expected_of(ledger, frozenset(identity for identity, _ in by_identity))
    return [
        compare_answers(expected, len(ledger)),
        compare_clicks(expected, by_identity),
        compare_malformed(expected, by_identity),
        compare_clean_clicks(expected, observed.clean_clicks),
        compare_page_views(expected, observed.page_views),
        *compare_dead_letters(expected, by_identity, observed.dead_letters),
        compare_table(expected, by_identity, observed.table),
        compare_view(observed.page_views, observed.view),
    ]


def identity_of(record: Record) -> str:
    """The event's id; a malformed record's mark; else where the record is."""
    if (mark := record.header(MARK)) is not None:
        return mark
    try:
        identity = json.loads(record.value or b"")["event_id"]
    except (ValueError, KeyError, TypeError):
        identity = None
    return identity if isinstance(identity, str) else f"partition {record.partition} offset {record.offset}"


def compare_answers(expected: Expected, sent: int) -> Result:
    """Valid events are accepted, invalid ones refused."""
    differences = [f"{i}: valid, but refused" for i in expected.wrongly_refused]
    differences += [f"{i}: breaks the schema, but accepted" for i in expected.wrongly_accepted]
    return Result("gateway: valid accepted, invalid refused", sent, sent, differences)


def content(event: Event) -> dict[str, Any]:
    """The fields as the ledger has them: an optional field that is null is left out, the time in milliseconds."""
    kept = {k: v for k, v in event.items() if v is not None or k not in OPTIONAL_FIELDS}
    return kept | {"occurred_at": epoch_ms(kept["occurred_at"])} if "occurred_at" in kept else kept


def _decoded(records: Iterable[Record]) -> Iterator[tuple[str, Any]]:
    """Id, content and key of each record; a value that is no event shows as its bytes."""
    for record in records:
        try:
            value: Any = content(json.loads(record.value or b"")) | {"(key)": record.key}
        except (ValueError, TypeError, AttributeError):
            value = record.value
        yield identity_of(record), value


def _with_key(event: Event) -> dict[str, Any]:
    return content(event) | {"(key)": str(event["user_id"]).encode()}


def compare_clicks(expected: Expected, by_identity: Sequence[tuple[str, Record]]) -> Result:
    """Every accepted event is stored at least once, and nothing that was not sent."""
    valid = [record for identity, record in by_identity if identity not in expected.malformed]
    wanted = {i: _with_key(event) for i, event in expected.events.items()}
    return compare_each("clicks: every accepted event, at least once", wanted, _decoded(valid), at_most_once=False)


def compare_malformed(expected: Expected, by_identity: Sequence[tuple[str, Record]]) -> Result:
    """What the external producer wrote is stored exactly once, byte for byte."""
    found = [(identity, record.value) for identity, record in by_identity if record.header(MARK) is not None]
    return compare_each("clicks: malformed bytes of the external producer", expected.malformed, found)


def compare_clean_clicks(expected: Expected, records: Sequence[Record]) -> Result:
    wanted = {i: _with_key(event) for i, event in expected.events.items()}
    return compare_each("clean_clicks: every accepted event, exactly once", wanted, _decoded(records))


def compare_page_views(expected: Expected, records: Sequence[Record]) -> Result:
    """Every window's figures equal a recount, each window written once, with its key."""
    found = []
    for record in records:
        try:
            row = json.loads(record.value or b"")
            key = (row["page"], epoch_ms(row["window_start"]))
            figures: object = Views(epoch_ms(row["window_end"]), row["views"], row["visitors"])
            if json.loads(record.key or b"") != {"page": row["page"], "window_start": row["window_start"]}:
                figures = f"a record with key {record.key!r}"
        except (ValueError, KeyError, TypeError):
            key, figures = (f"partition {record.partition}", record.offset), record.value
        if key[0] != CLOSING_PAGE:
            found.append((key, figures))
    return compare_each("page_views: every window, exactly once", recount(expected), found)


def compare_table(
    expected: Expected, by_identity: Sequence[tuple[str, Record]], rows: Sequence[Mapping[str, Any]]
) -> Result:
    """Every accepted event is one row, with its values, the user hashed, and the place of one of its records."""
    places: dict[str, set[tuple[int, int]]] = {}
    for identity, record in by_identity:
        places.setdefault(identity, set()).add((record.partition, record.offset))
    wanted = {i: _row_of(event) for i, event in expected.events.items()}
    found = []
    for row in rows:
        identity = str(row["EVENT_ID"])
        place = (row["_PARTITION"], row["_OFFSET"])
        values = {name: row[name] for name in ("EVENT_ID", "USER_ID", "PAGE", "REFERRER", "AMOUNT", "_TOPIC")}
        values |= {name: _ms(row[name]) for name in ("OCCURRED_AT", "_EVENT_TIME")}
        values["its record"] = place in places.get(identity, ())
        values["_LOADED_AT set"] = row["_LOADED_AT"] is not None
        found.append((identity, values))
    return compare_each("table: every accepted event, exactly once", wanted, found)


def _row_of(event: Event) -> dict[str, Any]:
    at = epoch_ms(event["occurred_at"])
    return {
        "EVENT_ID": event["event_id"],
        "USER_ID": hashlib.sha256(str(event["user_id"]).encode()).hexdigest(),
        "PAGE": event["page"],
        "REFERRER": event.get("referrer"),
        "AMOUNT": event.get("amount"),
        "OCCURRED_AT": at,
        "_EVENT_TIME": at,
        "_TOPIC": kafka_topic(CLICKS),
        "its record": True,
        "_LOADED_AT set": True,
    }


def _ms(time: object) -> object:
    """Epoch milliseconds; a time without a zone is UTC, as the loader writes it."""
    if not isinstance(time, datetime):
        return time
    return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)


def compare_view(records: Sequence[Record], answer: Sequence[Mapping[str, Any]]) -> Result:
    """The API's view answers with each key's newest value in the topic."""
    newest = {record.key: record.value for record in records}
    wanted = {}
    for value in newest.values():
        try:
            row = json.loads(value or b"")
            wanted[row["page"], row["window_start"]] = row
        except (ValueError, KeyError, TypeError):
            continue
    found = [((row.get("page"), row.get("window_start")), dict(row)) for row in answer]
    return compare_each("view page-views: agrees with the topic", wanted, found)
