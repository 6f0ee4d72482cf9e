"""One ordered sender: it writes a batch into the ledger, sends it, and goes on only when every event has its answer.

While the gateway or its broker is away it sends the rest of the same batch again, with the same ids. So the order of
event times holds across outages, and a retry never makes an event newer than those that follow.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

from headrace_apps.demo.api import Away
from headrace_apps.demo.ledger import NO_ANSWER, Answer, Kind, LedgerWriter, Outcome, Route, Sent

FIRST_BACKOFF, MAX_BACKOFF = 0.1, 1.0


class Aborted(Exception):  # noqa: N818
    """The run is being given up; the batch under way has no answer."""


class Sends(Protocol):
    """One attempt: an answer per event, None where it must be sent again. Raises Away, Unexpected."""

    def send(self, topic: str, batch: Sequence[Sent]) -> list[Answer | None]: ...


@dataclass(slots=True)
class Tally:
    """What was sent so far. Written by the sending thread; read by the live view and the drain."""

    accepted_events: int = 0
    """Answers, so a repeat counts again; references do not count."""
    accepted_ids: int = 0
    refused: int = 0
    repeated: int = 0
    late: int = 0
    malformed: int = 0
    peers: int = 0
    """Of the accepted, those that another maker's producer wrote."""
    references: int = 0
    retries: int = 0
    first_accepted: float | None = None
    away: str | None = None
    """Why the sender waits, while it waits."""


class OrderedSender:
    """`on_send` gets each batch before its first attempt; `abort` ends the waiting for a gateway that is away."""

    def __init__(
        self,
        routes: dict[Route, Sends],
        ledger: LedgerWriter,
        tally: Tally,
        *,
        abort: threading.Event,
        on_send: Callable[[Sequence[Sent]], object] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._routes = routes
        self._ledger = ledger
        self._tally = tally
        self._abort = abort
        self._on_send = on_send
        self._clock = clock

    def send(self, batch: Sequence[Sent]) -> list[Answer]:
        """Returns when each event is accepted or refused, one topic and route after the other. Raises Aborted,
        Unexpected."""
        answers: list[Answer] = []
        for (topic, route), events in groupby(batch, key=lambda sent: (sent.topic, sent.route)):
            answers += self._send(topic, self._routes[route], list(events))
        return answers

    def _send(self, topic: str, route: Sends, batch: Sequence[Sent]) -> list[Answer]:
        number = self._ledger.record_sent(batch)
        self._on_send(batch)
        answers: list[Answer | None] = [None] * len(batch)
        backoff = FIRST_BACKOFF
        while missing := [index for index, answer in enumerate(answers) if answer is None]:
            try:
                got = route.send(topic, [batch[index] for index in missing])
                for index, answer in zip(missing, got, strict=True):
                    answers[index] = answer
                if all(answer is not None for answer in got):
                    break
                self._tally.away = "the broker did not acknowledge"
            except Away as error:
                self._tally.away = str(error)
            self._tally.retries += 1
            if self._abort.wait(backoff):
                self._ledger.record_answers(number, [answer or NO_ANSWER for answer in answers])
                raise Aborted
            backoff = min(backoff * 2, MAX_BACKOFF)
        self._tally.away = None
        final = [answer for answer in answers if answer is not None]
        self._ledger.record_answers(number, final)
        self._count(batch, final)
        return final

    def _count(self, batch: Sequence[Sent], answers: Sequence[Answer]) -> None:
        tally = self._tally
        for sent, answer in zip(batch, answers, strict=True):
            if answer.outcome is Outcome.REFUSED:
                tally.refused += 1
            elif answer.outcome is Outcome.ACCEPTED and sent.kind is Kind.REFERENCE:
                tally.references += 1
            elif answer.outcome is Outcome.ACCEPTED:
                tally.accepted_events += 1
                tally.peers += sent.route is Route.KAFKA
                if tally.first_accepted is None:
                    tally.first_accepted = self._clock()
                if sent.kind is Kind.DUPLICATE:
                    tally.repeated += 1
                    continue
                tally.accepted_ids += 1
                tally.late += sent.kind is Kind.LATE
