"""`headrace init`: asks what is not said, writes the starter's files into a new folder, and says how to go on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import typer

from headrace.cli.manifest_schema import render_manifest_schema
from headrace.cli.starter import FORMATS, SCHEMA_FILE, Format, Starter
from headrace.core.problems import nearest

WRONG_USAGE = 2


def ask_starter(
    name: str | None, topic: str | None, format_: str | None, key: str | None, counts: bool | None, *, ask: bool
) -> Starter:
    """What was not given is asked for, or takes its default when nobody can be asked. Raises BadParameter."""
    default = Starter("my-pipeline")

    def answer(given: str | None, question: str, otherwise: str) -> str:
        return given if given is not None else typer.prompt(question, default=otherwise) if ask else otherwise

    starter = Starter(
        answer(name, "Name of the pipeline", default.name),
        answer(topic, "Topic that events come in on", default.topic),
        _format(answer(format_, "Format of its values (JSON, Avro, Protobuf)", default.format)),
        answer(key, "Field whose events must stay in order (the key)", default.key),
        counts
        if counts is not None
        else typer.confirm("Count them per key and window?", default=True)
        if ask
        else True,
    )
    faults = starter.faults()
    if faults:
        raise typer.BadParameter("; ".join(faults))
    return starter


def can_ask() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def write_starter(starter: Starter, folder: Path | None, say: Callable[[str], object] = typer.echo) -> int:
    """Writes nothing over: 2 when a file is there already."""
    target = folder or Path(starter.name)
    files = {**starter.files(), SCHEMA_FILE: render_manifest_schema()}
    there = [name for name in files if (target / name).exists()]
    if there:
        typer.echo(
            f"{target / there[0]} is there already; nothing was written (name another folder with --dir)", err=True
        )
        return WRONG_USAGE
    try:
        for name, text in files.items():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_text(text)
    except OSError as error:
        typer.echo(f"{target} cannot be written: {error.strerror}", err=True)
        return WRONG_USAGE
    for line in next_steps(starter, target):
        say(line)
    return 0


def next_steps(starter: Starter, folder: Path) -> list[str]:
    """What to type next, in order."""
    lines = [
        f"wrote {folder / 'pipeline.yaml'}" + (f" and {folder / 'tests' / 'counts.yaml'}" if starter.counts else "")
    ]
    lines += ["", f"  cd {folder}", "  headrace validate -f pipeline.yaml"]
    if starter.counts:
        lines.append("  headrace test -f pipeline.yaml              # the fixtures, through the real job")
    lines += [
        "  headrace up -f pipeline.yaml                # runs until Ctrl-C; then, in a second terminal here:",
        f"  headrace send {starter.topic} --count 200 --rate 20/s",
        f"  headrace tail {'counts' if starter.counts else starter.topic}",
    ]
    return lines


def _format(text: str) -> Format:
    found = next((name for name in FORMATS if name.lower() == text.lower()), None)
    if found is None:
        raise typer.BadParameter(f"{text!r} is no format ({nearest(text, FORMATS)})", param_hint="--format")
    return found
