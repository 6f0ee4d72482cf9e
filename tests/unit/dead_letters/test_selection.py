"""Which letters a selection takes: each condition by itself, and all of them together against a plain reading."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core.dead_letter import Reason
from headrace_apps.dead_letters.letter import Letter, Resolution
from headrace_apps.dead_letters.selection import NO_VALUE, Selection, ValueCondition, WrongPathError
from headrace_apps.dead_letters.survey import survey

from .letters_made import WHEN, letter


def value_of(found: Letter) -> Any:
    try:
        return json.loads(found.record.value or b"null")
    except ValueError:
        return NO_VALUE


STAGES = ["gateway", "job/count", "job/clean", "sink/table"]
TOPICS = ["shop.orders", "shop.visits"]
VALUES = [b'{"amount": 5}', b'{"amount": 50, "lines": [{"sku": "a"}]}', b'{"amount": null}', b"[1]", b"7", b"broken"]
HOUR = timedelta(hours=1)


@st.composite
def letters(draw: st.DrawFn) -> list[Letter]:
    count = draw(st.integers(0, 12))
    return [
        letter(
            draw(st.sampled_from(VALUES)),
            stage=draw(st.sampled_from(STAGES)),
            reason=draw(st.sampled_from(list(Reason))),
            error=draw(st.sampled_from(["amount is Negative", "came late"])),
            topic=draw(st.sampled_from(TOPICS)),
            key=draw(st.sampled_from([None, b"ann", b"\xff"])),
            time=WHEN + draw(st.integers(-3, 3)) * HOUR,
            offset=offset,
        )
        for offset in range(count)
    ]


def some_of(items: list[str]) -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(st.sampled_from(items), max_size=2)


selections = st.builds(
    Selection,
    stages=some_of(["gateway", "job/count", "table"]),
    reasons=some_of([reason.value for reason in Reason]),
    topics=some_of(TOPICS),
    places=some_of(["0-0", "0-1", "0-99"]),
    key=st.sampled_from([None, "ann"]),
    error=st.sampled_from([None, "negative"]),
    since=st.sampled_from([None, WHEN]),
    until=st.sampled_from([None, WHEN + HOUR]),
    where=st.sampled_from([None, ValueCondition("@.amount > 10")]),
)


def reads(selection: Selection, found: Letter) -> bool:
    """The same, in the plainest words."""
    value = value_of(found)
    amount = value["amount"] if isinstance(value, dict) else None
    key = (found.record.key or b"").decode(errors="replace")
    assert found.time is not None
    return all(
        [
            found.place in (selection.places or {found.place}),
            {found.stage, found.stage.split("/")[-1]} & (selection.stages or {found.stage}),
            found.reason in (selection.reasons or {found.reason}),
            found.topic in (selection.topics or {found.topic}),
            selection.key is None or key == selection.key,
            (selection.error or "") in found.error.lower(),
            (selection.since or found.time) <= found.time,
            selection.until is None or found.time < selection.until,
            selection.where is None or (amount or 0) > 10,
        ]
    )


@given(letters(), selections)
@settings(max_examples=200, deadline=None)
def test_a_selection_takes_what_meets_every_condition(found: list[Letter], selection: Selection) -> None:
    taken = [entry.place for entry in found if selection.selects(entry, value_of)]
    assert taken == [entry.place for entry in found if reads(selection, entry)]


@given(letters(), selections, st.data())
@settings(max_examples=100, deadline=None)
def test_a_survey_counts_each_selected_letter_once_and_offers_only_open_ones(
    found: list[Letter], selection: Selection, data: st.DataObject
) -> None:
    fates = [data.draw(st.sampled_from([None, "redriven", "discarded", "undecided"])) for _ in found]
    resolved = {
        entry.place: Resolution(entry.place, "redriven" if fate == "redriven" else "discarded", WHEN, None)
        for entry, fate in zip(found, fates, strict=True)
        if fate in ("redriven", "discarded")
    }
    undecided = frozenset(entry.place for entry, fate in zip(found, fates, strict=True) if fate == "undecided")
    pairs = [(entry, resolved.get(entry.place)) for entry in found]
    result = survey(pairs, selection, value_of, undecided, samples=2)
    selected = [entry for entry in found if reads(selection, entry)]
    assert result.total == len(selected)
    assert result.open_places == [e.place for e in selected if e.place not in resolved and e.place not in undecided]
    assert result.open.total() == len(result.open_places)
    assert len(result.newest) <= 2


@pytest.mark.parametrize(
    ("condition", "value", "holds"),
    [
        ('@.page == "/"', {"page": "/"}, True),
        ("@.a", {"a": None}, True),
        ("@.a", {}, False),
        ("@ == 7", 7, True),
        ('@.b == "x" || @.c >= 2', {"c": 2}, True),
        ('$.lines[?@.sku == "a"]', {"lines": [{"sku": "b"}, {"sku": "a"}]}, True),
        ('$.lines[?@.sku == "a"]', {"lines": []}, False),
        ("$.a.b", {"a": {"b": False}}, True),
        ("$.a", "text", False),
        ("@.a > 1", NO_VALUE, False),
    ],
)
def test_a_condition_on_the_value(condition: str, value: Any, holds: bool) -> None:
    assert ValueCondition(condition).holds(value) is holds


@pytest.mark.parametrize("text", ["$[", "@.a >", "", "$.a[?@.x ~ 1]"])
def test_what_is_no_path_is_told(text: str) -> None:
    with pytest.raises(WrongPathError, match="is no JSON path"):
        ValueCondition(text)
