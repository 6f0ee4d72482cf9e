"""The ledger: what one pipeline was sent and how it was answered, in the order of sending.

An append-only file of JSON lines. A batch is written and synced before its first attempt and its answers after the
last one, so a crash in between leaves events without an answer, never events without a line. The traffic writes it;
the check reads nothing else of the traffic.

    {"batch": 1, "sent": [{"id": "…", "kind": "event", "topic": "clicks", "event": {…}}, …]}
    {"batch": 1, "answers": [{"outcome": "accepted", "partition": 3, "offset": 17}, …]}
"""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class Kind(StrEnum):
    EVENT = "event"
    REPLAY = "replay"
    """A real record that a package carries."""
    DUPLICATE = "duplicate"
    """An event that was sent before, with the same id and content."""
    LATE = "late"
    CLOSING = "closing"
    """Moves the event time past the last window."""
    INVALID = "invalid"
    """Breaks the schema; the gateway must refuse it."""
    MALFORMED = "malformed"
    """Bytes that an external producer put straight into the topic."""
    REFERENCE = "reference"
    """A record of a compacted topic that others are joined with; without an event a tombstone, `id` is its key."""


class Route(StrEnum):
    GATEWAY = "gateway"
    KAFKA = "kafka"
    """Straight into the topic, by a producer that is no part of Headrace."""


class Outcome(StrEnum):
    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    """No answer before the end: the topic may have it or not."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One event to send. `event` is None for malformed ones, whose bytes are `raw` (None: a tombstone)."""

    id: str
    kind: Kind
    topic: str
    """Its short name."""
    event: dict[str, Any] | None = None
    raw: bytes | None = None
    route: Route = Route.GATEWAY
    at: int = 0
    """When it happened, epoch milliseconds; of what takes the route KAFKA also the record's timestamp."""

    def to_line(self) -> dict[str, Any]:
        line: dict[str, Any] = {"id": self.id, "kind": self.kind.value, "topic": self.topic}
        if self.route is not Route.GATEWAY:
            line["route"] = self.route.value
        if self.at:
            line["at"] = self.at
        if self.kind is Kind.MALFORMED:
            line["raw"] = None if self.raw is None else base64.b64encode(self.raw).decode()
        else:
            line["event"] = self.event
        return line

    @classmethod
    def from_line(cls, line: dict[str, Any]) -> Self:
        raw = line.get("raw")
        return cls(
            line["id"],
            Kind(line["kind"]),
            line["topic"],
            line.get("event"),
            None if raw is None else base64.b64decode(raw),
            Route(line.get("route", Route.GATEWAY)),
            line.get("at", 0),
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one sent event. Partition and offset where the answer names them."""

    outcome: Outcome
    partition: int | None = None
    offset: int | None = None

    def to_line(self) -> dict[str, Any]:
        line: dict[str, Any] = {"outcome": self.outcome.value}
        if self.partition is not None:
            line |= {"partition": self.partition, "offset": self.offset}
        return line


NO_ANSWER = Answer(Outcome.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Entry:
    sent: Sent
    answer: Answer


class LedgerWriter:
    """Appends to the file; every call is on disk when it returns. Safe to share between threads."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab")
        self._batch = 0
        self._lock = threading.Lock()

    def record_sent(self, sent: Sequence[Sent]) -> int:
        """Write a batch before it is sent; the batch's number is for `record_answers`."""
        with self._lock:
            self._batch += 1
            self._append({"batch": self._batch, "sent": [s.to_line() for s in sent]})
            return self._batch

    def record_answers(self, batch: int, answers: Sequence[Answer]) -> None:
        """Write the batch's answers, one for each event and in the same order."""
        with self._lock:
            self._append({"batch": batch, "answers": [a.to_line() for a in answers]})

    def _append(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


class LedgerError(Exception):
    """The file is not a ledger."""


def parse_ledger(lines: Iterable[bytes]) -> Iterator[Entry]:
    """Entries in order of sending. A last line that a crash cut off is left out; anything else is a LedgerError."""
    batches: dict[int, list[Sent]] = {}
    answers: dict[int, list[Answer]] = {}
    for number, line in enumerate(lines, start=1):
        if not line.endswith(b"\n"):
            break
        try:
            content = json.loads(line)
            if "sent" in content:
                batches[content["batch"]] = [Sent.from_line(s) for s in content["sent"]]
            else:
                answers[content["batch"]] = [
                    Answer(Outcome(a["outcome"]), a.get("partition"), a.get("offset")) for a in content["answers"]
                ]
        except (ValueError, KeyError, TypeError) as error:
            raise LedgerError(f"line {number} is not a line of a ledger: {error}") from error
    for batch, sent in batches.items():
        answered = answers.get(batch, [NO_ANSWER] * len(sent))
        if len(answered) != len(sent):
            raise LedgerError(f"batch {batch} has {len(sent)} events and {len(answered)} answers")
        yield from map(Entry, sent, answered)


def read_ledger(path: Path) -> list[Entry]:
    """The whole file. Raises OSError, LedgerError."""
    with path.open("rb") as file:
        return list(parse_ledger(file))
