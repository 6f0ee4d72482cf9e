"""A letter and its resolution, read from records of the dead-letter topic. Pure; the first step of every command."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from headrace.core import dead_letter
from headrace_apps.inspection.records import Record

Fate = Literal["redriven", "discarded"]


@dataclass(frozen=True, slots=True)
class Resolution:
    """What became of the letter at `resolves`. `sent_to` is `<topic>-<partition>-<offset>` of the record sent again."""

    resolves: str
    fate: Fate
    time: datetime | None
    sent_to: str | None


@dataclass(frozen=True, slots=True)
class Letter:
    """`place` is the letter's own; `topic`, `partition`, `offset` are of the record it is about.

    `partition` and `offset` are None for what the gateway never stored.
    """

    place: str
    stage: str
    reason: str
    error: str
    topic: str
    partition: int | None
    offset: int | None
    attempt: int
    time: datetime | None
    record: Record

    @property
    def about(self) -> str:
        """`clickstream.clicks-3-1041`, or the topic alone."""
        return self.topic if self.partition is None else f"{self.topic}-{self.partition}-{self.offset}"


def parse_letter(record: Record) -> Letter | Resolution | None:
    """What a record of the dead-letter topic is; None for one that is neither."""
    time = _time(record.header(dead_letter.TIME))
    resolves = record.header(dead_letter.RESOLVES)
    if resolves is not None:
        fate = record.header(dead_letter.RESOLUTION)
        if fate not in ("redriven", "discarded"):
            return None
        return Resolution(resolves, "redriven" if fate == "redriven" else "discarded", time, _sent_to(record))
    stage = record.header(dead_letter.STAGE)
    if stage is None:
        return None
    return Letter(
        place=record.place,
        stage=stage,
        reason=record.header(dead_letter.REASON) or "",
        error=record.header(dead_letter.ERROR) or "",
        topic=record.header(dead_letter.TOPIC) or "",
        partition=_number(record.header(dead_letter.PARTITION)),
        offset=_number(record.header(dead_letter.OFFSET)),
        attempt=_number(record.header(dead_letter.ATTEMPT)) or 1,
        time=time,
        record=record,
    )


def _sent_to(record: Record) -> str | None:
    return record.header(dead_letter.SENT_TO)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def _time(text: str | None) -> datetime | None:
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
