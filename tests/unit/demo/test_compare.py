"""The check passes for a faultless run, and fails when one record anywhere is dropped, repeated or altered."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from headrace_apps.demo.check.compare import compare
from headrace_apps.demo.check.observed import Observed, Record
from headrace_apps.demo.check.report import print_results
from headrace_apps.demo.check.result import Result
from headrace_apps.demo.ledger import Answer, Entry, Kind, Outcome

Run = tuple[list[Entry], Observed]
PLACES = ("clicks", "clean_clicks", "page_views", "dead_letters", "table", "view")
REPEAT_IS_ALLOWED = {"clicks"}


def differing(ledger: list[Entry], observed: Observed) -> list[Result]:
    return [result for result in compare(ledger, observed) if not result.passed]


def with_place(observed: Observed, place: str, items: list[Any]) -> Observed:
    return replace(observed, **{place: items})


def test_a_faultless_run_passes(run: Run) -> None:
    results = compare(*run)
    assert [result for result in results if not result.passed] == []
    counted = [(r.name, r.expected) for r in results if "nothing else" not in r.name]
    assert all(expected > 0 for _, expected in counted), counted


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("index", [0, 3, -1])
def test_dropping_one_record_fails(run: Run, place: str, index: int) -> None:
    ledger, observed = run
    items = list(getattr(observed, place))
    del items[index]
    if place == "clicks" and _is_sent_twice(observed.clicks, index):
        pytest.fail("the dropped record must be the only one of its event")
    assert differing(ledger, with_place(observed, place, items))


@pytest.mark.parametrize("place", [p for p in PLACES if p not in REPEAT_IS_ALLOWED])
@pytest.mark.parametrize("index", [0, 3, -1])
def test_repeating_one_record_fails(run: Run, place: str, index: int) -> None:
    ledger, observed = run
    items = list(getattr(observed, place))
    assert differing(ledger, with_place(observed, place, [*items, items[index]]))


def test_one_more_raw_copy_of_an_accepted_event_is_allowed(run: Run) -> None:
    ledger, observed = run
    again = replace(observed.clicks[0], offset=10_000)
    assert differing(ledger, with_place(observed, "clicks", [*observed.clicks, again])) == []


def test_one_more_raw_copy_of_malformed_bytes_fails(run: Run) -> None:
    ledger, observed = run
    one = next(c for c in observed.clicks if c.header("demo.malformed"))
    assert differing(ledger, with_place(observed, "clicks", [*observed.clicks, replace(one, offset=10_000)]))


def test_an_event_nobody_sent_fails(run: Run) -> None:
    ledger, observed = run
    event = json.loads(observed.clicks[0].value or b"") | {"event_id": "11111111-1111-4111-8111-111111111111"}
    strange = replace(observed.clicks[0], offset=10_000, value=json.dumps(event).encode())
    assert differing(ledger, with_place(observed, "clicks", [*observed.clicks, strange]))


def _alter_json(field: str, value: object) -> Callable[[Record], Record]:
    return lambda r: replace(r, value=json.dumps(json.loads(r.value or b"") | {field: value}).encode())


def _alter_header(name: str, value: bytes) -> Callable[[Record], Record]:
    return lambda r: replace(r, headers=tuple((k, value if k == name else v) for k, v in r.headers))


def _alter_row(**change: object) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda row: row | change


def _later(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"OCCURRED_AT": row["OCCURRED_AT"] + timedelta(milliseconds=1)}


@pytest.mark.parametrize(
    ("place", "alter"),
    [
        ("clicks", _alter_json("page", "/other")),
        ("clicks", lambda r: replace(r, key=b"someone")),
        ("clicks", lambda r: replace(r, value=b"{")),
        ("clean_clicks", _alter_json("page", "/other")),
        ("clean_clicks", _alter_json("amount", 0.01)),
        ("clean_clicks", _alter_json("occurred_at", "2026-05-28T20:26:43.001Z")),
        ("clean_clicks", _alter_json("more", 1)),
        ("clean_clicks", lambda r: replace(r, key=b"someone")),
        ("clean_clicks", lambda r: replace(r, value=None)),
        ("page_views", _alter_json("views", 12345)),
        ("page_views", _alter_json("visitors", 0)),
        ("page_views", _alter_json("window_end", "2026-05-28T20:26:43Z")),
        ("page_views", lambda r: replace(r, key=b"/")),
        ("page_views", lambda r: replace(r, value=b"[]")),
        ("dead_letters", lambda r: replace(r, value=b"other")),
        ("dead_letters", lambda r: replace(r, key=b"other")),
        ("dead_letters", lambda r: replace(r, headers=r.headers[1:])),
        ("dead_letters", _alter_header("headrace.dlq.stage", b"job/other")),
        ("dead_letters", _alter_header("headrace.dlq.reason", b"Late?")),
        ("dead_letters", _alter_header("headrace.dlq.offset", b"99999")),
        ("dead_letters", _alter_header("headrace.dlq.topic", b"clicks")),
        ("dead_letters", _alter_header("headrace.dlq.attempt", b"2")),
        ("dead_letters", _alter_header("headrace.dlq.time", b"now")),
        ("dead_letters", _alter_header("headrace.dlq.error", b"")),
        ("table", _alter_row(USER_ID="user-00001")),
        ("table", _alter_row(PAGE=None)),
        ("table", _alter_row(REFERRER="/nowhere")),
        ("table", _alter_row(AMOUNT=0.01)),
        ("table", _alter_row(_OFFSET=99_999)),
        ("table", _alter_row(_TOPIC="clicks")),
        ("table", _alter_row(_LOADED_AT=None)),
        ("table", _later),
        ("view", _alter_row(views=12345)),
        ("view", _alter_row(page="/other")),
    ],
)
def test_altering_one_record_fails(run: Run, place: str, alter: Callable[[Any], Any]) -> None:
    ledger, observed = run
    items = list(getattr(observed, place))
    items[0] = alter(items[0])
    assert differing(ledger, with_place(observed, place, items))


@pytest.mark.parametrize("place", PLACES)
def test_an_empty_place_fails(run: Run, place: str) -> None:
    ledger, observed = run
    assert differing(ledger, with_place(observed, place, []))


def test_an_on_time_event_among_the_late_ones_fails_and_names_its_place(run: Run) -> None:
    ledger, observed = run
    on_time = observed.clicks[0]
    late = next(r for r in observed.dead_letters if r.header("headrace.dlq.reason") == "Late")
    moved = _alter_header("headrace.dlq.offset", str(on_time.offset).encode())(late)
    [result] = differing(ledger, with_place(observed, "dead_letters", [*observed.dead_letters, moved]))
    assert "Late" in result.name
    assert f" {on_time.offset}: not expected here" in result.differences[0]


@pytest.mark.parametrize("kind", [Kind.CLICK, Kind.REPLAY, Kind.LATE])
def test_a_ledger_without_one_accepted_event_fails(run: Run, kind: Kind) -> None:
    ledger, observed = run
    missing = next(entry.sent.id for entry in ledger if entry.sent.kind is kind)
    assert differing([entry for entry in ledger if entry.sent.id != missing], observed)


def test_a_valid_event_that_was_refused_fails(run: Run) -> None:
    ledger, observed = run
    changed = [replace(ledger[0], answer=Answer(Outcome.REFUSED)), *ledger[1:]]
    assert any("gateway" in result.name for result in differing(changed, observed))


def test_an_invalid_event_that_was_accepted_fails(run: Run) -> None:
    ledger, observed = run
    changed = [replace(e, answer=Answer(Outcome.ACCEPTED, 0, 0)) if e.sent.kind is Kind.INVALID else e for e in ledger]
    [result] = differing(changed, observed)
    assert "gateway" in result.name


def test_an_event_without_answer_counts_when_the_topic_has_it(run: Run) -> None:
    ledger, observed = run
    unanswered = replace(ledger[0], answer=Answer(Outcome.UNKNOWN))
    assert differing([unanswered, *ledger[1:]], observed) == []
    stored = [c for c in observed.clicks if ledger[0].sent.id.encode() not in (c.value or b"")]
    results = differing([unanswered, *ledger[1:]], with_place(observed, "clicks", stored))
    assert any("clean_clicks" in result.name for result in results)


def test_the_report_names_the_event(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    ledger, observed = run
    identity = observed.table[0]["EVENT_ID"]
    print_results(compare(ledger, with_place(observed, "table", list(observed.table[1:]))), Console(width=120))
    printed = capsys.readouterr().out
    assert f"{identity}: missing" in printed
    assert "1 of " in printed


def _is_sent_twice(clicks: Sequence[Record], index: int) -> bool:
    value = clicks[index].value
    return sum(c.value == value for c in clicks) > 1
