"""One ordered sender: it writes a batch into the ledger, sends it, and goes on only when every event has its answer.

While the gateway or its broker is away it sends the rest of the same batch again, with the same ids. So the order of
event times holds across outages, and a retry never makes an event newer than those that follow.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from headrace_apps.demo.api import Away
from headrace_apps.demo.clickstream import epoch_ms, window_start
from headrace_apps.demo.ledger import NO_ANSWER, Answer, Kind, LedgerWriter, Outcome, Sent

FIRST_BACKOFF, MAX_BACKOFF = 0.1, 1.0

ON_TIME = (Kind.CLICK, Kind.REPLAY)


class Aborted(Exception):  # noqa: N818
    """The run is being given up; the batch under way has no answer."""


class Sends(Protocol):
    def send(self, events: Sequence[object]) -> list[Answer | None]: ...


@dataclass(slots=True)
class Tally:
    """What was sent so far. Written by the sending thread; read by the live view and the drain."""

    accepted_events: int = 0
    """Answers, so a repeat counts again."""
    accepted_ids: int = 0
    refused: int = 0
    repeated: int = 0
    late: int = 0
    malformed: int = 0
    retries: int = 0
    first_accepted: float | None = None
    away: str | None = None
    """Why the sender waits, while it waits."""
    windows: set[tuple[str, int]] = field(default_factory=set)
    """Page and window start (epoch ms) that must come out of the counting job."""


class OrderedSender:
    """`on_send` gets each batch before its first attempt; `abort` ends the waiting for a gateway that is away."""

    def __init__(
        self,
        api: Sends,
        ledger: LedgerWriter,
        tally: Tally,
        *,
        abort: threading.Event,
        on_send: Callable[[Sequence[Sent]], object] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._ledger = ledger
        self._tally = tally
        self._abort = abort
        self._on_send = on_send
        self._clock = clock

    def send(self, batch: Sequence[Sent]) -> list[Answer]:
        """Returns when each event is accepted or refused. Raises Aborted, Unexpected."""
        if not batch:
            return []
        number = self._ledger.record_sent(batch)
        self._on_send(batch)
        answers: list[Answer | None] = [None] * len(batch)
        backoff = FIRST_BACKOFF
        while missing := [index for index, answer in enumerate(answers) if answer is None]:
            try:
                got = self._api.send([batch[index].event for index in missing])
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
            elif answer.outcome is Outcome.ACCEPTED:
                tally.accepted_events += 1
                if tally.first_accepted is None:
                    tally.first_accepted = self._clock()
                if sent.kind is Kind.DUPLICATE:
                    tally.repeated += 1
                    continue
                tally.accepted_ids += 1
                tally.late += sent.kind is Kind.LATE
                if sent.kind in ON_TIME and sent.event is not None:
                    tally.windows.add((sent.event["page"], window_start(epoch_ms(sent.event["occurred_at"]))))
