"""The dead-letter topic: for every bad record one letter per reading stage, whole and well addressed, and no other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from headrace_apps.demo.check.expected import Expected
from headrace_apps.demo.check.observed import Record
from headrace_apps.demo.check.result import Result, compare_each
from headrace_apps.demo.clickstream import (
    CLEANING_JOB,
    CLICKS,
    COUNTING_JOB,
    MARK,
    SINK,
    epoch_ms,
    kafka_topic,
)

ENVELOPE = "headrace.dlq."

MALFORMED_AT = (
    (f"job/{COUNTING_JOB}", "Malformed"),
    (f"job/{CLEANING_JOB}", "Malformed"),
    (f"sink/{SINK}", "Unloadable"),
)
LATE_AT = (f"job/{COUNTING_JOB}", "Late")

Address = tuple[str | None, str | None, str | None, str | None]
"""Stage, reason, partition and offset of the record that the letter is about."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter's content: the original bytes and headers, and whether the envelope is complete."""

    key: bytes | None
    value: bytes | None
    headers: frozenset[tuple[str, bytes | None]]
    envelope: str


def compare_dead_letters(
    expected: Expected, clicks: Sequence[tuple[str, Record]], letters: Sequence[Record]
) -> Iterator[Result]:
    """One result for late events, one for each stage that meets malformed bytes, one for anything else."""
    late = [record for identity, record in clicks if identity in expected.late]
    malformed = [record for _, record in clicks if record.header(MARK) is not None]
    found = [(_address(letter), _letter(letter)) for letter in letters]
    known = {LATE_AT, *MALFORMED_AT}
    yield _compare("late events", LATE_AT, late, found)
    for stage in MALFORMED_AT:
        yield _compare("malformed bytes", stage, malformed, found)
    others = [item for item in found if item[0][:2] not in known]
    yield compare_each("dead letters: nothing else", {}, others)


def _compare(
    what: str,
    stage: tuple[str, str],
    records: Sequence[Record],
    found: Sequence[tuple[Address, Letter]],
) -> Result:
    wanted = {
        (*stage, str(r.partition), str(r.offset)): Letter(r.key, r.value, frozenset(r.headers), "complete")
        for r in records
    }
    own = [item for item in found if item[0][:2] == stage]
    return compare_each(f"dead letters: {what}, {stage[0]} {stage[1]}", wanted, own)


def _address(letter: Record) -> Address:
    stage, reason, partition, offset = (
        letter.header(ENVELOPE + name) for name in ("stage", "reason", "partition", "offset")
    )
    return stage, reason, partition, offset


def _letter(letter: Record) -> Letter:
    original = frozenset(header for header in letter.headers if not header[0].startswith(ENVELOPE))
    return Letter(letter.key, letter.value, original, _envelope(letter))


def _envelope(letter: Record) -> str:
    """`complete`, or what is wrong with it."""
    if letter.header(ENVELOPE + "topic") != kafka_topic(CLICKS):
        return f"topic is {letter.header(ENVELOPE + 'topic')}"
    if letter.header(ENVELOPE + "attempt") != "1":
        return f"attempt is {letter.header(ENVELOPE + 'attempt')}"
    if not letter.header(ENVELOPE + "error"):
        return "without an error"
    try:
        epoch_ms(letter.header(ENVELOPE + "time") or "")
    except ValueError:
        return f"time is {letter.header(ENVELOPE + 'time')}"
    return "complete"
