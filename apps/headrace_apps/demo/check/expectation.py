"""What must be there: what a sample works out from its ledger, in the terms that the check compares. Pure.

Shares no code with what it checks, and no arithmetic with Flink.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from headrace_apps.demo.ledger import Entry, Kind, Outcome

Row = Mapping[str, Any]
Key = tuple[Hashable, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """A record of a compacted topic; `row` None: a tombstone. `at`: its event time, epoch milliseconds."""

    topic: str
    key: str
    at: int
    row: Row | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the pipeline took. `events`: by id, each once however often it was sent; `malformed`: bytes by mark."""

    sent: int
    events: Mapping[str, Row]
    late: frozenset[str]
    closing: frozenset[str]
    by_gateway: frozenset[str]
    """Of the events, those that came through the gateway."""
    malformed: Mapping[str, bytes | None]
    references: Sequence[Reference]
    wrongly_refused: tuple[str, ...] = ()
    wrongly_accepted: tuple[str, ...] = ()

    @property
    def punctual(self) -> dict[str, Row]:
        """The events that count in windows and joins: neither late nor closing."""
        return {i: event for i, event in self.events.items() if i not in self.late and i not in self.closing}


@dataclass(frozen=True, slots=True)
class Output:
    """Rows of a topic, each exactly once. `key`: the fields that tell rows apart; `ignored`: rows of closing clients,
    whose windows never close."""

    title: str
    topic: str
    key: tuple[str, ...]
    wanted: Mapping[Key, Row]
    ignored: Callable[[Row], bool] = lambda _: False
    mine: Callable[[Row], bool] = lambda _: True
    """Which rows of the topic are meant, where two jobs write to it."""


@dataclass(frozen=True, slots=True)
class Letters:
    """Dead letters of one stage for one reason: one for each record of the raw topic that is so."""

    stage: str
    reason: str
    about: Literal["late", "malformed"]


@dataclass(frozen=True, slots=True)
class TableRows:
    """A sink's table, columns in lower case and without the loader's own. `key`: columns; `source_key`: the fields of
    the source topic that they come from."""

    sink: str
    key: tuple[str, ...]
    source_key: tuple[str, ...]
    wanted: Mapping[Key, Row]
    ignored: Callable[[Row], bool] = lambda _: False


@dataclass(frozen=True, slots=True)
class Expectation:
    """`stored`: the raw topic's content by id, as the gateway leaves it."""

    accepted: Accepted
    stored: Mapping[str, Row]
    outputs: Sequence[Output]
    letters: Sequence[Letters]
    tables: Sequence[TableRows]
    gateway_sets: tuple[str, ...] = field(default=())
    """Fields that the gateway sets to a moment that only it knows."""

    def written(self) -> Iterator[tuple[Output, int]]:
        """How many records each topic must have at least; of two outputs in one topic the sum."""
        totals: dict[str, int] = {}
        for output in self.outputs:
            totals[output.topic] = totals.get(output.topic, 0) + len(output.wanted)
        seen = {output.topic: output for output in self.outputs}
        return ((seen[topic], total) for topic, total in totals.items())

    def letter_counts(self) -> Iterator[tuple[Letters, int]]:
        counts = {"late": len(self.accepted.late), "malformed": len(self.accepted.malformed)}
        return ((letters, counts[letters.about]) for letters in self.letters)


def accepted_of(ledger: Iterable[Entry], stored: frozenset[str] = frozenset()) -> Accepted:
    """`stored`: ids and marks that the topic has. They decide only for what was sent and never answered."""
    events: dict[str, Row] = {}
    kinds: dict[str, Kind] = {}
    malformed: dict[str, bytes | None] = {}
    references: list[Reference] = []
    refused, accepted, gateway, sent_count = [], [], set(), 0
    for entry in ledger:
        sent, outcome = entry.sent, entry.answer.outcome
        sent_count += 1
        there = outcome is Outcome.ACCEPTED or (outcome is Outcome.UNKNOWN and sent.id in stored)
        if sent.kind is Kind.INVALID:
            if there:
                accepted.append(sent.id)
        elif sent.kind is Kind.MALFORMED:
            if there:
                malformed[sent.id] = sent.raw
        elif sent.kind is Kind.REFERENCE:
            if there:
                references.append(Reference(sent.topic, sent.id, sent.at, sent.event))
        elif outcome is Outcome.REFUSED:
            refused.append(sent.id)
        elif there and sent.event is not None:
            events[sent.id] = sent.event
            if sent.route == "gateway":
                gateway.add(sent.id)
            if sent.kind is not Kind.DUPLICATE:
                kinds[sent.id] = sent.kind
    return Accepted(
        sent=sent_count,
        events=events,
        late=frozenset(i for i, kind in kinds.items() if kind is Kind.LATE),
        closing=frozenset(i for i, kind in kinds.items() if kind is Kind.CLOSING),
        by_gateway=frozenset(gateway),
        malformed=malformed,
        references=references,
        wrongly_refused=tuple(refused),
        wrongly_accepted=tuple(accepted),
    )
