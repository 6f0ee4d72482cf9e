"""`dlq list`, `peek` and `export`: letters shown; nothing is written to Kafka."""

from __future__ import annotations

import base64
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import typer
from rich.console import Console
from rich.table import Table

from headrace.cli.conditions import Conditions
from headrace.cli.pipelines import RunningPipeline, find_pipelines, parts_worded
from headrace.cli.progress import reading
from headrace.core.dead_letter import PREFIX, rfc3339
from headrace.core.problems import shorten
from headrace_apps.dead_letters.archive import Archive, fetch_archive
from headrace_apps.dead_letters.letter import Letter, Resolution
from headrace_apps.dead_letters.outgoing import letter_value
from headrace_apps.dead_letters.selection import NO_VALUE, Selection
from headrace_apps.dead_letters.survey import Group, Survey, survey
from headrace_apps.inspection.values import UndecodableError, Values


@dataclass(frozen=True)
class Opened:
    """One pipeline's letters, and what the user selected of them."""

    pipeline: RunningPipeline
    selection: Selection
    archive: Archive
    values: Values

    def value_of(self, letter: Letter) -> Any:
        """NO_VALUE for bytes that are no value."""
        try:
            return letter_value(letter, self.values)
        except UndecodableError:
            return NO_VALUE

    def survey(self, samples: int, shows: Callable[[Resolution | None], bool]) -> Survey:
        letters = self.archive.letters()
        return survey(letters, self.selection, self.value_of, self.archive.undecided, samples=samples, shows=shows)


def open_letters(pipeline: RunningPipeline, conditions: Conditions) -> Opened:
    """Reads what became of which letter. Raises BadParameter and UnreadableError."""
    selection = conditions.within(pipeline)
    topic = pipeline.dead_letter_topic
    archive = fetch_archive(pipeline.gateway.kafka, topic, reading(topic))
    if archive.hidden:
        hidden = f"{archive.hidden:,} records at the end of {topic}"
        typer.echo(f"{hidden} are in a transaction that is still open; letters among them are not seen yet", err=True)
    return Opened(pipeline, selection, archive, Values(pipeline.gateway))


@parts_worded()
def list_letters(
    state: Path, pipeline: str | None, conditions: Conditions, *, everything: bool, limit: int, as_json: bool
) -> int:
    opened = open_letters(find_pipelines(state).named(pipeline), conditions)
    found = opened.survey(limit, lambda resolution: everything or resolution is None)
    if as_json:
        typer.echo(json.dumps(_as_json(found, opened), indent=2, ensure_ascii=False))
        return 0
    if not found.total:
        typer.echo(f"{opened.archive.topic} holds no such letter")
        return 0
    console = Console(highlight=False)
    groups = found.open.keys() | found.redriven.keys() | found.discarded.keys()
    shown = sorted(group for group in groups if everything or found.open[group])
    table = Table("stage", "reason", "topic", "open", box=None, pad_edge=False)
    if everything:
        table.add_column("redriven")
        table.add_column("discarded")
    for group in shown:
        counts = [found.open, found.redriven, found.discarded] if everything else [found.open]
        table.add_row(*group, *(f"{count[group]:,}" for count in counts))
    console.print(table)
    resolved = found.redriven.total() + found.discarded.total()
    if resolved and not everything:
        console.print(f"{resolved:,} more were redriven or discarded (--all shows them)")
    _say_undecided(found)
    for letter, resolution in found.newest:
        for line in summary(letter, resolution):
            typer.echo(line)
    return 0


def summary(letter: Letter, resolution: Resolution | None) -> list[str]:
    """A letter in two lines."""
    when = letter.time.astimezone().strftime("%m-%d %H:%M:%S") if letter.time else "no time"
    attempt = f", attempt {letter.attempt}" if letter.attempt > 1 else ""
    fate = f" ({resolution.fate})" if resolution else ""
    return [
        f"{letter.place}  {when}  {letter.reason} at {letter.stage}{attempt}{fate}: {letter.about}",
        f"    {shorten(letter.error, 200)}",
    ]


@parts_worded()
def peek_letters(state: Path, pipeline: str | None, conditions: Conditions, *, limit: int) -> int:
    """1 when there is none."""
    opened = open_letters(find_pipelines(state).named(pipeline), conditions)
    named = bool(conditions.selection.places)
    found = opened.survey(limit, lambda resolution: named or resolution is None)
    for letter, resolution in found.newest:
        for line in describe(letter, resolution, opened.value_of(letter)):
            typer.echo(line)
        typer.echo("")
    if not found.newest:
        typer.echo(f"{opened.archive.topic} holds no such open letter", err=True)
        return 1
    return 0


def describe(letter: Letter, resolution: Resolution | None, value: Any) -> list[str]:
    """A letter whole, for a person."""
    lines = [
        f"letter {letter.place}  {letter.reason} at {letter.stage}"
        + (f", attempt {letter.attempt}" if letter.attempt > 1 else ""),
        f"  why      {letter.error}",
        f"  record   {letter.about}",
        f"  when     {rfc3339(letter.time) if letter.time else 'not said'}",
    ]
    if resolution:
        when = f" at {rfc3339(resolution.time)}" if resolution.time else ""
        to = f" as {resolution.sent_to}" if resolution.sent_to else ""
        lines.append(f"  became   {resolution.fate}{to}{when}")
    key = letter.record.key
    lines.append(f"  key      {'none' if key is None else key.decode('utf-8', 'replace')}")
    for name, header in letter.record.headers:
        if not name.startswith(PREFIX):
            lines.append(f"  header   {name}: {(header or b'').decode('utf-8', 'replace')}")
    if value is NO_VALUE:
        raw = letter.record.value or b""
        return [*lines, f"  bytes    {shorten(repr(raw)[1:], 2000)}   ({len(raw)} in all)"]
    text = json.dumps(value, indent=2, ensure_ascii=False).splitlines()
    return [*lines, f"  value    {text[0]}", *(f"           {line}" for line in text[1:])]


@parts_worded()
def export_letters(
    state: Path, pipeline: str | None, conditions: Conditions, *, everything: bool, output: Path | None
) -> int:
    opened = open_letters(find_pipelines(state).named(pipeline), conditions)
    count = 0
    with _writing(output) as stream:
        for letter, resolution in opened.archive.letters():
            if (everything or resolution is None) and opened.selection.selects(letter, opened.value_of):
                stream.write(
                    json.dumps(as_json(letter, resolution, opened.value_of(letter)), ensure_ascii=False) + "\n"
                )
                count += 1
    typer.echo(f"{count:,} letters written", err=True)
    return 0


@contextmanager
def _writing(output: Path | None) -> Iterator[TextIO]:
    if output is None:
        yield sys.stdout
        return
    try:
        with output.open("w", encoding="utf-8") as stream:
            yield stream
    except OSError as error:
        raise typer.BadParameter(f"{output} cannot be written: {error.strerror}", param_hint="--output") from error


def as_json(letter: Letter, resolution: Resolution | None, value: Any) -> dict[str, Any]:
    """One line of an export; `value` is left out where the bytes are none."""
    content: dict[str, Any] = {
        "letter": letter.place,
        "stage": letter.stage,
        "reason": letter.reason,
        "error": letter.error,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "attempt": letter.attempt,
        "time": rfc3339(letter.time) if letter.time else None,
        "keyBase64": _base64(letter.record.key),
        "valueBase64": _base64(letter.record.value),
        "headers": [[name, _base64(header)] for name, header in letter.record.headers if not name.startswith(PREFIX)],
    }
    if value is not NO_VALUE:
        content["value"] = value
    if resolution:
        time = rfc3339(resolution.time) if resolution.time else None
        content["resolution"] = {"fate": resolution.fate, "time": time, "sentTo": resolution.sent_to}
    return content


def _base64(raw: bytes | None) -> str | None:
    return None if raw is None else base64.b64encode(raw).decode()


def _as_json(found: Survey, opened: Opened) -> dict[str, Any]:
    def counted(counts: Counter[Group]) -> list[dict[str, Any]]:
        return [
            {"stage": stage, "reason": reason, "topic": topic, "count": count}
            for (stage, reason, topic), count in sorted(counts.items())
        ]

    return {
        "topic": opened.archive.topic,
        "open": counted(found.open),
        "redriven": counted(found.redriven),
        "discarded": counted(found.discarded),
        "undecided": found.undecided,
        "letters": [as_json(letter, became, opened.value_of(letter)) for letter, became in found.newest],
    }


def _say_undecided(found: Survey) -> None:
    if found.undecided:
        count = f"{len(found.undecided):,} letters"
        typer.echo(
            f"{count} were redriven or discarded just now, behind an open transaction: not yet told apart", err=True
        )
