"""`dlq redrive` and `discard`: what is selected is counted and shown, then resolved batch by batch."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import typer

from headrace.cli.conditions import Conditions
from headrace.cli.letters import Opened, open_letters
from headrace.cli.pipelines import RunningPipeline, find_pipelines, parts_worded
from headrace.cli.progress import Progress
from headrace.core.dead_letter import STAGE_GATEWAY, stage_of_job, stage_of_sink
from headrace.core.problems import shorten
from headrace_apps.dead_letters import redrive as runs
from headrace_apps.dead_letters.correction import Correction, WrongPatchError, parse_correction
from headrace_apps.dead_letters.letter import Letter, Resolution
from headrace_apps.dead_letters.outgoing import Kept, Outgoing, Preparation
from headrace_apps.dead_letters.pace import Pace
from headrace_apps.dead_letters.redrive import Done
from headrace_apps.dead_letters.resolver import Resolver
from headrace_apps.dead_letters.survey import Survey
from headrace_apps.explanation.jobs import shape_of
from headrace_apps.inspection.scan import fetch_topics
from headrace_apps.inspection.values import UndecodableError, Values

SAMPLES = 5
NOT_ALL = 1


@dataclass(frozen=True)
class Redriving:
    """`patch` as the user wrote it; `rate` in letters a second."""

    patch: str | None
    rate: float | None
    external: bool
    dry_run: bool

    def correction(self) -> Correction | None:
        try:
            return parse_correction(self.patch) if self.patch else None
        except WrongPatchError as error:
            raise typer.BadParameter(str(error), param_hint="--patch") from error


@parts_worded()
def redrive_letters(state: Path, pipeline: str | None, conditions: Conditions, redriving: Redriving) -> int:
    """1 when a selected letter could not be sent."""
    correction = redriving.correction()
    chosen = find_pipelines(state).named(pipeline)
    conditions.within(chosen)  # before anything is fenced
    if redriving.dry_run:
        return _rehearse(open_letters(chosen, conditions), _preparation(chosen, correction, redriving))
    with _resolver(chosen) as resolver:
        # Only now: what is read from here on shows all that earlier runs have done.
        opened = open_letters(chosen, conditions)
        found = opened.survey(SAMPLES, _is_open)
        _say_others(chosen, found)
        total = len(found.open_places)
        tell = Progress(lambda count: f"… {count:,} of {total:,} letters redriven")
        pace = Pace(redriving.rate, time.monotonic, time.sleep)
        prepare = _preparation(chosen, correction, redriving).prepare
        done = runs.redrive(_selected(opened, found), prepare, resolver, pace, lambda done: tell(done.done))
    typer.echo(f"{done.done:,} letters redriven")
    _say_kept(done)
    return _not_all(found, done)


@parts_worded()
def discard_letters(state: Path, pipeline: str | None, conditions: Conditions, *, dry_run: bool) -> int:
    chosen = find_pipelines(state).named(pipeline)
    conditions.within(chosen)
    if dry_run:
        found = open_letters(chosen, conditions).survey(SAMPLES, _is_open)
        _say_counts(found, "would be discarded")
        for letter, _ in found.newest:
            typer.echo(f"  {letter.place}  {letter.reason} at {letter.stage}: {shorten(letter.error)}")
        return 0
    with _resolver(chosen) as resolver:
        opened = open_letters(chosen, conditions)
        found = opened.survey(SAMPLES, _is_open)
        total = len(found.open_places)
        tell = Progress(lambda count: f"… {count:,} of {total:,} letters discarded")
        done = runs.discard(_selected(opened, found), resolver, lambda done: tell(done.done))
    typer.echo(f"{done.done:,} letters discarded; they stay in {chosen.dead_letter_topic}")
    return _not_all(found, done)


def _rehearse(opened: Opened, preparation: Preparation) -> int:
    """A dry run: counts, what would be sent of the newest, what could not be sent and why."""
    found = opened.survey(SAMPLES, _is_open)
    outgoing = [preparation.prepare(letter) for letter in _selected(opened, found)]
    kept = [entry for entry in outgoing if isinstance(entry, Kept)]
    _say_counts(found, "selected")
    _say_others(opened.pipeline, found)
    typer.echo(f"{len(outgoing) - len(kept):,} would be sent; the newest:")
    for letter, _ in found.newest:
        prepared = preparation.prepare(letter)
        if isinstance(prepared, Outgoing):
            key = "no key" if prepared.key is None else f"key {prepared.key.decode('utf-8', 'replace')}"
            typer.echo(f"  {letter.place} → {prepared.topic}, {key}: {shorten(_shown(prepared, opened.values), 160)}")
    _say_kept(Done(0, len(kept), kept))
    typer.echo("nothing was changed")
    return NOT_ALL if kept else 0


def _shown(outgoing: Outgoing, values: Values) -> str:
    """The value as JSON; as bytes where it is none."""
    if outgoing.value is None:
        return "(deletes its key)"
    try:
        return json.dumps(values.read(outgoing.topic, outgoing.value), ensure_ascii=False)
    except UndecodableError:
        return repr(outgoing.value)[2:-1]


def _resolver(pipeline: RunningPipeline) -> AbstractContextManager[Resolver]:
    return Resolver(pipeline.gateway.kafka, pipeline.dead_letter_topic, lambda: datetime.now(UTC))


def _preparation(pipeline: RunningPipeline, correction: Correction | None, redriving: Redriving) -> Preparation:
    known = fetch_topics(pipeline.gateway.kafka)
    return Preparation(pipeline.gateway, known, correction, time.time, external=redriving.external)


def _selected(opened: Opened, found: Survey) -> Iterator[Letter]:
    """The letters that the survey counted as open, and no other: what came since is not part of this run."""
    wanted = set(found.open_places)
    start: dict[int, int] = {}
    for place in wanted:
        partition, offset = map(int, place.split("-"))
        start[partition] = min(offset, start.get(partition, offset))
    if wanted:
        yield from (letter for letter, _ in opened.archive.letters(start) if letter.place in wanted)


def _is_open(resolution: Resolution | None) -> bool:
    return resolution is None


def _say_counts(found: Survey, what: str) -> None:
    typer.echo(f"{len(found.open_places):,} letters {what}")
    for (stage, reason, topic), count in sorted(found.open.items()):
        typer.echo(f"  {count:>8,}  {reason} at {stage}, read from {topic}")


def _say_others(pipeline: RunningPipeline, found: Survey) -> None:
    """A record that is sent again is new to every reader of its topic, also to those that had used the first copy."""
    for topic in sorted({topic for _, _, topic in found.open}):
        stages = {stage for stage, _, of in found.open if of == topic}
        jobs = [stage_of_job(job.name) for job in map(shape_of, pipeline.jobs) if job.input_of(topic)]
        sinks = [stage_of_sink(loader.sink) for loader in pipeline.loaders if loader.topic.kafka_topic == topic]
        others = [reader for reader in (*jobs, *sinks) if reader not in stages and stages != {STAGE_GATEWAY}]
        if others:
            typer.echo(
                f"{topic} is also read by {', '.join(others)}: what they used the first time they read again, and "
                "count it again unless the topic's id still tells them (docs/how-to/dead-letters.md)",
                err=True,
            )


def _say_kept(done: Done) -> None:
    if not done.kept_count:
        return
    typer.echo(f"{done.kept_count:,} letters stay as they are:", err=True)
    for kept in done.kept[:20]:
        typer.echo(f"  {kept.letter.place}: {shorten(kept.why, 200)}", err=True)
    if done.kept_count > 20:
        typer.echo(f"  … and {done.kept_count - 20:,} more; --dry-run counts them without sending", err=True)


def _not_all(found: Survey, done: Done) -> int:
    if found.undecided:
        count = f"{len(found.undecided):,} letters"
        typer.echo(f"{count} lie behind an open transaction: not told apart yet; run this again later", err=True)
    return NOT_ALL if found.undecided or done.kept_count else 0
