"""What became of each copy of an event, from what was found: outcomes in the jobs, rows in the tables. Pure.

A job writes down malformed and late events only. That another one was used follows: it was read (the job's committed
position is behind it), it has no dead letter, and no earlier copy within the id's window came before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from headrace_apps.dead_letters.letter import Letter, Resolution
from headrace_apps.explanation.copies import Copy
from headrace_apps.explanation.jobs import Input, JobShape
from headrace_apps.explanation.windows import Window, windows_of

JobOutcome = Literal["used", "late", "malformed", "duplicate", "not read yet", "not known"]

LetterAndFate = tuple[Letter, Resolution | None]
Positions = Mapping[tuple[str, int], int | None]
"""Of one consumer group: (topic, partition) → the next offset it will read; None when it has committed none."""


@dataclass(frozen=True, slots=True)
class JobStory:
    """`why` is for a person. `windows` are those that took it, or would have."""

    job: str
    outcome: JobOutcome
    why: str
    windows: tuple[Window, ...] = ()
    letter: LetterAndFate | None = None


def tell_job(
    job: JobShape, copy: Copy, earlier: Sequence[Copy], letters: Iterable[LetterAndFate], positions: Positions
) -> JobStory | None:
    """None when the job does not read the copy's topic. `earlier` are copies in the same topic that came before."""
    entry = job.input_of(copy.topic.kafka_topic)
    if entry is None:
        return None
    windows = tuple(windows_of(entry.lateness, copy.at))
    letter = letter_about(copy, f"job/{job.name}", letters)
    if letter is not None:
        outcome: JobOutcome = "late" if letter[0].reason == "Late" else "malformed"
        return JobStory(job.name, outcome, letter[0].error, windows, letter)
    outcome, why = _by_position(job, entry, copy, earlier, positions)
    return JobStory(job.name, outcome, why, windows)


def _by_position(
    job: JobShape, entry: Input, copy: Copy, earlier: Sequence[Copy], positions: Positions
) -> tuple[JobOutcome, str]:
    """Without a letter: what follows from how far the job is, and from the copies before."""
    position = positions.get((copy.topic.kafka_topic, copy.record.partition))
    if position is None:
        return "not known", "the job has committed no position yet"
    if position <= copy.record.offset:
        return "not read yet", f"the job's newest checkpoint is at {copy.record.partition}-{position}"
    repeats = [other for other in earlier if entry.id_field and abs(other.at - copy.at) <= entry.id_window_ms]
    if repeats:
        return "duplicate", f"the same id came before, as {copy.topic.name} {repeats[0].record.place}"
    if entry.lateness.rule != "none" and not job.keeps_late:
        return "used", "unless it was late: this job only counts late events"
    return "used", ""


def letter_about(copy: Copy, stage: str, letters: Iterable[LetterAndFate]) -> LetterAndFate | None:
    """The newest letter that this stage wrote about exactly this record."""
    found = [
        (letter, fate)
        for letter, fate in letters
        if letter.stage == stage
        and (letter.topic, letter.partition, letter.offset)
        == (copy.record.topic, copy.record.partition, copy.record.offset)
    ]
    return found[-1] if found else None


def in_order(copies: Iterable[Copy]) -> list[Copy]:
    """As they came: by Kafka's time, and by offset within a partition."""
    return sorted(copies, key=lambda copy: (copy.record.timestamp, copy.record.partition, copy.record.offset))
