"""What must be there, worked out from the ledger alone. Pure; shares no code with what it checks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from headrace_apps.demo.clickstream import WINDOW_MS, epoch_ms, window_start
from headrace_apps.demo.ledger import Entry, Kind, Outcome

VALID_KINDS = frozenset({Kind.CLICK, Kind.REPLAY, Kind.DUPLICATE, Kind.LATE, Kind.CLOSING})

Event = Mapping[str, Any]
Window = tuple[str, int]
"""Page and the window's start in epoch milliseconds."""


@dataclass(frozen=True, slots=True)
class Views:
    """A window's figures. `end` in epoch milliseconds."""

    end: int
    views: int
    visitors: int


@dataclass(frozen=True, slots=True)
class Expected:
    """`events`: accepted, by id, each once however often it was sent. `malformed`: bytes by mark."""

    events: Mapping[str, Event]
    late: frozenset[str]
    closing: frozenset[str]
    malformed: Mapping[str, bytes | None]
    wrongly_refused: tuple[str, ...]
    wrongly_accepted: tuple[str, ...]
    unanswered: tuple[str, ...]
    invalid: frozenset[str]


def expected_of(ledger: Iterable[Entry], stored: frozenset[str]) -> Expected:
    """`stored`: ids and marks that the topic has. They decide only for what was sent and never answered."""
    events: dict[str, Event] = {}
    kinds: dict[str, Kind] = {}
    malformed: dict[str, bytes | None] = {}
    refused, accepted, unanswered, invalid = [], [], [], set()
    for entry in ledger:
        sent, outcome = entry.sent, entry.answer.outcome
        if outcome is Outcome.UNKNOWN:
            unanswered.append(sent.id)
        there = outcome is Outcome.ACCEPTED or (outcome is Outcome.UNKNOWN and sent.id in stored)
        if sent.kind is Kind.INVALID:
            invalid.add(sent.id)
            if there:
                accepted.append(sent.id)
        elif sent.kind is Kind.MALFORMED:
            if there:
                malformed[sent.id] = sent.raw
        elif outcome is Outcome.REFUSED:
            refused.append(sent.id)
        elif there and sent.event is not None:
            events[sent.id] = sent.event
            if sent.kind is not Kind.DUPLICATE:
                kinds[sent.id] = sent.kind
    return Expected(
        events=events,
        late=frozenset(i for i, kind in kinds.items() if kind is Kind.LATE),
        closing=frozenset(i for i, kind in kinds.items() if kind is Kind.CLOSING),
        malformed=malformed,
        wrongly_refused=tuple(refused),
        wrongly_accepted=tuple(accepted),
        unanswered=tuple(unanswered),
        invalid=frozenset(invalid),
    )


def recount(expected: Expected) -> dict[Window, Views]:
    """Views and visitors per page and window, of what was accepted in time. Closing events only end windows."""
    users: dict[Window, list[str]] = defaultdict(list)
    for identity, event in expected.events.items():
        if identity not in expected.late and identity not in expected.closing:
            users[event["page"], window_start(epoch_ms(event["occurred_at"]))].append(event["user_id"])
    return {window: Views(window[1] + WINDOW_MS, len(visits), len(set(visits))) for window, visits in users.items()}
