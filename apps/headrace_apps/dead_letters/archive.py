"""The dead-letter topic of one pipeline, read: which letters there are, and what became of them.

Two passes. The first finds the resolutions, since a letter's comes after it; the second gives the letters, one by
one, so that memory holds places and not letters.

A letter's resolution is in its own partition and so behind it: retention can never take the resolution first. But a
transaction of another writer that is still open hides what lies behind it. A resolution there is seen by a pass that
reads uncommitted records; whether it counts is not yet decided, so its letter is left alone (`undecided`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from headrace_apps.dead_letters.letter import Letter, Resolution, parse_letter
from headrace_apps.inspection.scan import Progress, Scan


@dataclass(frozen=True)
class Archive:
    """`ends`: the offsets at which the first pass ended; `hidden`: how many offsets lay behind them then."""

    kafka: Mapping[str, str]
    topic: str
    resolutions: Mapping[str, Resolution]
    undecided: frozenset[str]
    ends: Mapping[int, int]
    hidden: int
    progress: Progress | None = field(default=None, compare=False)

    def letters(self, start: Mapping[int, int] | None = None) -> Iterator[tuple[Letter, Resolution | None]]:
        """Letters up to where the first pass ended, in the order of each partition. Raises UnreadableError."""
        for record in Scan(self.kafka, self.topic, start=start, progress=self.progress):
            if record.offset >= self.ends.get(record.partition, 0):
                continue
            letter = parse_letter(record)
            if isinstance(letter, Letter):
                yield letter, self.resolutions.get(letter.place)


def fetch_archive(kafka: Mapping[str, str], topic: str, progress: Progress | None = None) -> Archive:
    """The first pass. Raises UnreadableError."""
    committed = Scan(kafka, topic, progress=progress)
    resolutions = _resolutions(committed)
    # To a reader of committed records a partition seems to end at the open transaction: only this pass sees further.
    behind = Scan(kafka, topic, start=committed.ends, committed=False)
    undecided = frozenset(_resolutions(behind)) - resolutions.keys()
    hidden = sum(max(0, end - committed.ends.get(partition, 0)) for partition, end in behind.high.items())
    return Archive(kafka, topic, resolutions, undecided, dict(committed.ends), hidden, progress)


def _resolutions(scan: Scan) -> dict[str, Resolution]:
    found = (parse_letter(record) for record in scan)
    return {item.resolves: item for item in found if isinstance(item, Resolution)}
