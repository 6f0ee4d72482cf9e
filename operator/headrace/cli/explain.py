"""`headrace explain EVENT_ID`: where an event is, and what became of it, part by part. What is not found is said."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import typer

from headrace.cli.options import parse_time
from headrace.cli.pipelines import RunningPipeline, find_pipelines, parts_worded
from headrace.cli.progress import Progress
from headrace.core.dead_letter import STAGE_GATEWAY, rfc3339, stage_of_sink
from headrace.core.problems import shorten
from headrace_apps.dead_letters.archive import fetch_archive
from headrace_apps.dead_letters.letter import Letter
from headrace_apps.dead_letters.outgoing import letter_value
from headrace_apps.explanation.copies import Copy, Looked, find_copies, id_text
from headrace_apps.explanation.jobs import JobShape, shape_of
from headrace_apps.explanation.moments import text_of
from headrace_apps.explanation.positions import fetch_positions
from headrace_apps.explanation.results import find_rows, match_of
from headrace_apps.explanation.story import JobStory, LetterAndFate, in_order, letter_about, tell_job
from headrace_apps.explanation.table_rows import TableStory, fetch_row
from headrace_apps.inspection.values import UndecodableError, Values

NOT_FOUND = 1
ROWS_SHOWN, WINDOWS_SHOWN = 5, 3


@dataclass(frozen=True)
class Question:
    """`most` records are looked at per topic; `since` in epoch milliseconds."""

    event_id: str
    pipeline: RunningPipeline
    since: int | None
    most: int


@dataclass(frozen=True)
class Findings:
    """What the parts of one answer have in common."""

    question: Question
    copies: list[Copy]
    letters: list[LetterAndFate]
    jobs: list[JobShape]
    values: Values


@parts_worded()
def explain(state: Path, event_id: str, pipeline: str | None, *, since: str, most: int, now: datetime) -> int:
    """1 when nothing is found."""
    start = None if since == "beginning" else int(parse_time(since, now).timestamp() * 1000)
    running = find_pipelines(state)
    chosen = [running.named(pipeline)] if pipeline else list(running.pipelines.values())
    found = [_explain(Question(event_id, one, start, most)) for one in chosen]
    return 0 if any(found) else NOT_FOUND


def _explain(question: Question) -> bool:
    """Prints what one pipeline knows; whether it knows anything."""
    pipeline, event_id = question.pipeline, question.event_id
    looked = Looked(question.since)
    began = time.monotonic()
    tell = Progress(lambda count: f"… {count:,} records looked at ({time.monotonic() - began:.0f} s)")
    copies = in_order(find_copies(pipeline.gateway, event_id, looked, question.most, tell))
    letters = _letters(question, copies, tell)
    values = Values(pipeline.gateway)
    typer.echo(f"{event_id} in {pipeline.name}")
    findings = Findings(question, copies, letters, [shape_of(job) for job in pipeline.jobs], values)
    for index, copy in enumerate(copies):
        earlier = [other for other in copies[:index] if other.topic == copy.topic]
        for line in [*_copy_lines(copy), *_readers(findings, copy, earlier)]:
            typer.echo(f"  {line}")
    loose = [entry for entry in letters if not _is_about(entry, copies)]
    for line in _loose_lines(loose):
        typer.echo(f"  {line}")
    if not copies and not loose:
        typer.echo("  not found: no record with this id, and no dead letter that holds it")
    for line in _bounds(looked, pipeline):
        typer.echo(f"  {line}")
    return bool(copies or loose)


def _letters(question: Question, copies: list[Copy], tell: Progress) -> list[LetterAndFate]:
    """Letters about the copies, and letters whose value has the id or whose bytes hold it."""
    gateway = question.pipeline.gateway
    archive = fetch_archive(gateway.kafka, gateway.dead_letter_topic, tell)
    places = {(copy.record.topic, copy.record.partition, copy.record.offset) for copy in copies}
    ids = {topic.kafka_topic: topic.id_field for topic in gateway.topics}
    values = Values(gateway)
    return [
        (letter, fate)
        for letter, fate in archive.letters()
        if (letter.topic, letter.partition, letter.offset) in places
        or _holds(letter, question.event_id, ids.get(letter.topic), values)
    ]


def _holds(letter: Letter, event_id: str, id_field: str | None, values: Values) -> bool:
    try:
        value = letter_value(letter, values)
    except UndecodableError:
        return event_id.encode() in (letter.record.value or b"")
    return isinstance(value, dict) and id_field is not None and id_text(value.get(id_field)) == event_id


def _copy_lines(copy: Copy) -> Iterator[str]:
    record = copy.record
    yield f"{copy.topic.name}: record {record.place} of {record.topic}"
    accepted = record.header("headrace.accepted")
    if accepted and accepted.isdigit():
        yield f"  accepted by the gateway at {text_of(int(accepted))}"
    elif copy.topic.ingest is not None:
        yield f"  written at {text_of(record.timestamp)}, not by the gateway"
    else:
        yield f"  written at {text_of(record.timestamp)}"
    if copy.topic.event_time_field:
        yield f"  happened at {text_of(copy.at)} ({copy.topic.event_time_field})"
    redriven = record.header("headrace.redriven")
    if redriven:
        yield f"  sent again from dead letter {redriven}, attempt {record.header('headrace.attempt') or '?'}"


def _readers(findings: Findings, copy: Copy, earlier: list[Copy]) -> Iterator[str]:
    """What each job and each sink that reads the copy's topic made of it."""
    pipeline, letters = findings.question.pipeline, findings.letters
    place = (copy.record.topic, copy.record.partition)
    for job in findings.jobs:
        entry = job.input_of(copy.record.topic)
        positions = fetch_positions(pipeline.gateway.kafka, entry.group, [place]) if entry else {}
        story = tell_job(job, copy, earlier, letters, positions)
        if story is not None:
            yield f"  job {story.job}: {story.outcome}" + (f" ({story.why})" if story.why else "")
            yield from (f"    {line}" for line in _windows(story, job, copy))
            yield from (f"    {line}" for line in _fate_lines(story.letter))
            if story.outcome == "used":
                yield from (f"    {line}" for line in _results(findings, copy, job))
    for loader in pipeline.loaders:
        if loader.topic.kafka_topic != copy.record.topic:
            continue
        letter = letter_about(copy, stage_of_sink(loader.sink), letters)
        if letter is None:
            yield f"  sink {loader.sink}: {_table_words(fetch_row(loader, copy.record), copy, bool(earlier))}"
        else:
            yield f"  sink {loader.sink}: {letter[0].reason} ({letter[0].error})"
            yield from (f"    {line}" for line in _fate_lines(letter))


def _windows(story: JobStory, job: JobShape, copy: Copy) -> Iterator[str]:
    shown = [f"{text_of(start)} to {text_of(end)}" for start, end in story.windows[:WINDOWS_SHOWN]]
    if shown:
        more = f" and {len(story.windows) - WINDOWS_SHOWN} more" if len(story.windows) > WINDOWS_SHOWN else ""
        session = " (a session, if it is alone)" if _is_session(job, copy) else ""
        yield f"window{'s' if len(story.windows) > 1 else ''} {', '.join(shown)}{more}{session}"


def _results(findings: Findings, copy: Copy, job: JobShape) -> Iterator[str]:
    """The rows that the event went into, as far as rows tell."""
    question = findings.question
    gateway = question.pipeline.gateway
    for output in (topic for topic in gateway.topics if topic.kafka_topic in job.outputs):
        match = match_of(copy, output)
        if output.id_field is not None:
            there = [other.record.place for other in findings.copies if other.topic.name == output.name]
            yield f"into {output.name} {', '.join(there)}" if there else f"into {output.name}: no record yet"
        elif match is None:
            yield f"into {output.name}: its rows do not say which events they are of"
        else:
            rows = find_rows(gateway.kafka, match, findings.values, question.since)
            if not rows:
                yield f"into {output.name}: no row yet" + (" (the window may be open)" if match.windowed else "")
            for record, row in rows[-ROWS_SHOWN:]:
                shown = json.dumps(row, ensure_ascii=False)
                yield f"into {output.name} {record.place}: {shorten(shown, 300)}"
            if len(rows) > ROWS_SHOWN:
                yield f"… and {len(rows) - ROWS_SHOWN} more rows"


def _is_session(job: JobShape, copy: Copy) -> bool:
    entry = job.input_of(copy.record.topic)
    return entry is not None and entry.lateness.kind == "session"


def _table_words(story: TableStory, copy: Copy, repeated: bool) -> str:
    if story.trouble:
        return f"{story.table} cannot be asked now: {shorten(story.trouble, 200)}"
    if story.loaded_at is not None:
        return f"row in {story.table}, loaded at {story.loaded_at}"
    if story.next_offset is None or story.next_offset <= copy.record.offset:
        return f"not in {story.table} yet (it has loaded up to offset {story.next_offset or 0})"
    if repeated:
        return f"no row in {story.table}: loaded once, for the copy before"
    if copy.topic.compacted:
        return f"no row in {story.table} any more: a newer version of its key has taken its place"
    return f"no row in {story.table}, although it was read: deleted there since, or the repeat of an older event"


def _is_about(entry: LetterAndFate, copies: Iterable[Copy]) -> bool:
    letter = entry[0]
    return any(
        (letter.topic, letter.partition, letter.offset)
        == (copy.record.topic, copy.record.partition, copy.record.offset)
        for copy in copies
    )


def _loose_lines(letters: list[LetterAndFate]) -> Iterator[str]:
    """Letters whose record is not among the copies: never stored, not readable, or taken by retention."""
    for entry in letters:
        letter = entry[0]
        where = "refused by the gateway" if letter.stage == STAGE_GATEWAY else f"{letter.reason} at {letter.stage}"
        yield f"dead letter {letter.place}: {where}, from {letter.about} ({letter.error})"
        yield from (f"  {line}" for line in _fate_lines(entry))


def _fate_lines(entry: LetterAndFate | None) -> Iterator[str]:
    if entry is None:
        return
    letter, fate = entry
    when = f" since {rfc3339(letter.time)}" if letter.time else ""
    yield f"dead letter {letter.place}{when}, attempt {letter.attempt}"
    if fate is None:
        yield f"open: `headrace dlq peek {letter.place}` shows it, `redrive` sends it again"
    else:
        to = f" as {fate.sent_to}" if fate.sent_to else ""
        yield f"{fate.fate}{to}" + (f" at {rfc3339(fate.time)}" if fate.time else "")


def _bounds(looked: Looked, pipeline: RunningPipeline) -> Iterator[str]:
    since = "the beginning" if looked.since is None else text_of(looked.since)
    counts = ", ".join(f"{count:,} of {name}" for name, count in looked.read.items())
    yield f"(looked at records since {since}: {counts or 'no topic has an id'})"
    if looked.cut:
        yield f"(not to their ends: {', '.join(looked.cut)}; --most looks further)"
    without = [topic.name for topic in pipeline.gateway.topics if topic.id_field is None]
    if without:
        yield f"(topics without an id, and so not looked at: {', '.join(without)})"
