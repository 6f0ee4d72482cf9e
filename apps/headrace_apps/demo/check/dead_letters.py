"""The dead-letter topic: for every bad record one letter per reading stage, whole and well addressed, and no other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from headrace_apps.demo.check.expectation import Expectation, Letters
from headrace_apps.demo.check.observed import Record
from headrace_apps.demo.check.result import Result, compare_each
from headrace_apps.demo.external import MARK
from headrace_apps.demo.moments import epoch_ms

ENVELOPE = "headrace.dlq."

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
    topic: str, expected: Expectation, stored: Sequence[tuple[str, Record]], letters: Sequence[Record]
) -> Iterator[Result]:
    """One result for each stage and reason, one for anything else. `topic`: the raw topic's name in Kafka."""
    about = {
        "late": [record for identity, record in stored if identity in expected.accepted.late],
        "malformed": [record for _, record in stored if record.header(MARK) is not None],
    }
    found = [(_address(letter), _letter(letter, topic)) for letter in letters]
    known = {(one.stage, one.reason) for one in expected.letters}
    for one in expected.letters:
        yield _compare(one, about[one.about], found)
    others = [item for item in found if item[0][:2] not in known]
    yield compare_each("dead letters: nothing else", {}, others)


def _compare(one: Letters, records: Sequence[Record], found: Sequence[tuple[Address, Letter]]) -> Result:
    stage = (one.stage, one.reason)
    wanted = {
        (*stage, str(r.partition), str(r.offset)): Letter(r.key, r.value, frozenset(r.headers), "complete")
        for r in records
    }
    own = [item for item in found if item[0][:2] == stage]
    return compare_each(f"dead letters: {one.about}, {one.stage} {one.reason}", wanted, own)


def _address(letter: Record) -> Address:
    stage, reason, partition, offset = (
        letter.header(ENVELOPE + name) for name in ("stage", "reason", "partition", "offset")
    )
    return stage, reason, partition, offset


def _letter(letter: Record, topic: str) -> Letter:
    original = frozenset(header for header in letter.headers if not header[0].startswith(ENVELOPE))
    return Letter(letter.key, letter.value, original, _envelope(letter, topic))


def _envelope(letter: Record, topic: str) -> str:
    """`complete`, or what is wrong with it."""
    if letter.header(ENVELOPE + "topic") != topic:
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
