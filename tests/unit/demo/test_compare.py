"""The check passes for a faultless run of each sample, and fails when one record is dropped, repeated or altered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console
from tests.unit.demo.demo_runs import Run, make_run

from headrace_apps.demo.check.compare import compare
from headrace_apps.demo.check.observed import Observed, Record
from headrace_apps.demo.check.report import print_results
from headrace_apps.demo.check.result import Result
from headrace_apps.demo.external import MARK
from headrace_apps.demo.ledger import Answer, Entry, Kind, Outcome
from headrace_apps.demo.sample import DEAD_LETTERS
from headrace_apps.demo.samples import SAMPLES


def results_of(run: Run, *, ledger: list[Entry] | None = None, observed: Observed | None = None) -> list[Result]:
    if ledger is not None:
        return compare(run.sample, run.manifest, ledger, observed or run.observed)
    known = replace(run.sample, expect=lambda _: run.expected)  # worked out once, as the ledger is the same
    return compare(known, run.manifest, run.ledger, observed or run.observed)


def differing(run: Run, *, ledger: list[Entry] | None = None, observed: Observed | None = None) -> list[Result]:
    return [result for result in results_of(run, ledger=ledger, observed=observed) if not result.passed]


def places(run: Run) -> list[tuple[str, str]]:
    """Every topic, table and view by name."""
    seen = run.observed
    return [(kind, name) for kind in ("topics", "tables", "views") for name in getattr(seen, kind)]


def items_of(run: Run, place: tuple[str, str]) -> list[Any]:
    return list(getattr(run.observed, place[0])[place[1]])


def with_items(run: Run, place: tuple[str, str], items: list[Any]) -> Observed:
    kind, name = place
    return replace(run.observed, **{kind: {**getattr(run.observed, kind), name: items}})


def is_reference(run: Run, place: tuple[str, str]) -> bool:
    """A compacted topic that is written from outside: only the newest of each key counts."""
    return place[0] == "topics" and any(e.sent.topic == place[1] and e.sent.kind is Kind.REFERENCE for e in run.ledger)


def test_a_faultless_run_passes(run: Run) -> None:
    results = results_of(run)
    assert [(result.name, result.differences[:3]) for result in results if not result.passed] == []
    counted = [(r.name, r.expected) for r in results if "nothing else" not in r.name]
    assert all(expected > 0 for _, expected in counted), counted


def test_dropping_one_record_anywhere_fails(run: Run) -> None:
    for place in places(run):
        items = items_of(run, place)
        for index in (0, len(items) // 2, len(items) - 1):
            if place == ("topics", run.sample.events) and _is_sent_again(items, index):
                continue
            if is_reference(run, place) and items[index].key in {item.key for item in items[index + 1 :]}:
                continue
            left = [item for at, item in enumerate(items) if at != index]
            assert differing(run, observed=with_items(run, place, left)), (place, index)


def test_repeating_one_record_fails_but_for_a_retry_in_the_raw_topic(run: Run) -> None:
    for place in places(run):
        items = items_of(run, place)
        again = with_items(run, place, [*items, items[-1]])
        if is_reference(run, place):
            assert differing(run, observed=again) == []
        elif place == ("topics", run.sample.events):
            more = replace(items[0], offset=10_000)
            assert differing(run, observed=with_items(run, place, [*items, more])) == []
            malformed = next(item for item in items if item.header(MARK))
            assert differing(run, observed=with_items(run, place, [*items, replace(malformed, offset=10_000)]))
        else:
            assert differing(run, observed=again), place


def test_altering_any_field_of_a_record_fails(run: Run) -> None:
    """Every field of every topic, table and view, one at a time."""
    for place in places(run):
        if place[1] == DEAD_LETTERS:
            continue
        items = items_of(run, place)
        index = next(at for at in reversed(range(len(items))) if _row(items[at]))
        for name in _row(items[index]) or {}:
            if name in {"received_at", "_LOADED_AT"} or (name == "_EVENT_TIME" and not _timed(run, place)):
                continue  # compared by being there
            changed = [*items]
            changed[index] = _altered(items[index], name)
            assert differing(run, observed=with_items(run, place, changed)), (place, name)


def _row(item: Record | Mapping[str, Any]) -> Mapping[str, Any] | None:
    return item.row if isinstance(item, Record) else item


def _altered(item: Any, name: str) -> Any:
    row = {**(_row(item) or {}), name: "something else"}
    return replace(item, row=row) if isinstance(item, Record) else row


def _timed(run: Run, place: tuple[str, str]) -> bool:
    return run.manifest.topics[run.manifest.sinks[place[1]].topic].time_field is not None


def test_another_key_or_undecodable_bytes_fail(run: Run) -> None:
    for place in [place for place in places(run) if place[0] == "topics"]:
        items = items_of(run, place)
        assert differing(run, observed=with_items(run, place, [*items[:-1], replace(items[-1], key=b"other")])), place
        if place[1] != DEAD_LETTERS:
            broken = replace(items[-1], row=None, value=b"{")
            assert differing(run, observed=with_items(run, place, [*items[:-1], broken])), place


def test_an_empty_place_fails(run: Run) -> None:
    for place in places(run):
        assert differing(run, observed=with_items(run, place, [])), place


def test_what_the_gateway_sets_must_be_set_by_it_alone() -> None:
    run = make_run(SAMPLES["transactions"])
    place = ("topics", "payments")
    items = items_of(run, place)
    at = next(at for at, item in enumerate(items) if item.row and "received_at" in item.row)
    unset = {name: value for name, value in items[at].row.items() if name != "received_at"}
    changed = [*items[:at], replace(items[at], row=unset), *items[at + 1 :]]
    assert differing(run, observed=with_items(run, place, changed))


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("stage", b"job/other"),
        ("reason", b"Late?"),
        ("offset", b"99999"),
        ("topic", b"clicks"),
        ("attempt", b"2"),
        ("time", b"now"),
        ("error", b""),
    ],
)
def test_an_envelope_with_one_wrong_header_fails(clickstream: Run, header: str, value: bytes) -> None:
    place = ("topics", DEAD_LETTERS)
    items = items_of(clickstream, place)
    items[0] = _alter_header(f"headrace.dlq.{header}", value)(items[0])
    assert differing(clickstream, observed=with_items(clickstream, place, items))


def test_a_letter_with_other_bytes_or_less_headers_fails(clickstream: Run) -> None:
    place = ("topics", DEAD_LETTERS)
    items = items_of(clickstream, place)
    for changed in (replace(items[0], value=b"other"), replace(items[0], headers=items[0].headers[1:])):
        assert differing(clickstream, observed=with_items(clickstream, place, [changed, *items[1:]]))


def _alter_header(name: str, value: bytes) -> Callable[[Record], Record]:
    return lambda r: replace(r, headers=tuple((k, value if k == name else v) for k, v in r.headers))


def test_an_on_time_event_among_the_late_ones_fails_and_names_its_place(clickstream: Run) -> None:
    observed = clickstream.observed
    on_time = observed.topics["clicks"][0]
    letters = list(observed.topics[DEAD_LETTERS])
    late = next(r for r in letters if r.header("headrace.dlq.reason") == "Late")
    moved = _alter_header("headrace.dlq.offset", str(on_time.offset).encode())(late)
    moved = _alter_header("headrace.dlq.partition", str(on_time.partition).encode())(moved)
    changed = with_items(clickstream, ("topics", DEAD_LETTERS), [*letters, moved])
    [result] = differing(clickstream, observed=changed)
    assert "Late" in result.name
    assert f" {on_time.offset}: not expected here" in result.differences[0]


def test_a_ledger_without_one_accepted_event_fails(run: Run) -> None:
    for kind in (Kind.EVENT, Kind.LATE):
        repeated = {entry.sent.id for entry in run.ledger if entry.sent.kind is Kind.DUPLICATE}
        missing = next(e.sent.id for e in run.ledger if e.sent.kind is kind and e.sent.id not in repeated)
        assert differing(run, ledger=[entry for entry in run.ledger if entry.sent.id != missing])


def test_wrong_answers_of_the_gateway_fail(run: Run) -> None:
    at = next(at for at, entry in enumerate(run.ledger) if entry.sent.kind is Kind.EVENT)
    refused = [*run.ledger]
    refused[at] = replace(run.ledger[at], answer=Answer(Outcome.REFUSED))
    assert any("gateway" in result.name for result in differing(run, ledger=refused))
    invalid = (Kind.INVALID, Answer(Outcome.ACCEPTED, 0, 0))
    accepted = [replace(e, answer=invalid[1]) if e.sent.kind is invalid[0] else e for e in run.ledger]
    assert any("gateway" in result.name for result in differing(run, ledger=accepted))


def test_an_event_without_answer_counts_when_the_topic_has_it(clickstream: Run) -> None:
    [first, *others] = clickstream.ledger
    unanswered = [replace(first, answer=Answer(Outcome.UNKNOWN)), *others]
    assert differing(clickstream, ledger=unanswered) == []
    clicks = clickstream.observed.topics["clicks"]
    without = [click for click in clicks if not click.row or click.row["event_id"] != first.sent.id]
    results = differing(clickstream, ledger=unanswered, observed=with_items(clickstream, ("topics", "clicks"), without))
    assert any("clean_clicks" in result.name for result in results)


def test_the_report_names_the_event(clickstream: Run, capsys: pytest.CaptureFixture[str]) -> None:
    place = ("tables", "raw-clicks")
    [first, *others] = items_of(clickstream, place)
    results = results_of(clickstream, observed=with_items(clickstream, place, others))
    print_results("clickstream", results, Console(width=120))
    printed = capsys.readouterr().out
    assert f"{first['EVENT_ID']}: missing" in printed
    assert "1 of " in printed


def _is_sent_again(items: list[Record], index: int) -> bool:
    """Of an event that was sent twice, the topic may lack one copy."""
    row = items[index].row
    return row is not None and sum(item.row == row for item in items) > 1
