"""`headrace dlq …`: arguments become conditions on letters; `letters` and `redrive` do the work."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from headrace.cli.completion import complete_pipeline, complete_topic
from headrace.cli.options import DEFAULT_STATE, AsJson, State, parse_rate

app = typer.Typer(
    help="Dead letters: what could not be used, and why; look, correct, send again.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Pipeline = Annotated[
    str | None,
    typer.Option(
        "-p", "--pipeline", metavar="NAME", autocompletion=complete_pipeline, help="Of which, where several run."
    ),
]
Letters = Annotated[
    list[str] | None, typer.Argument(metavar="LETTER…", help="Letters by name, such as 2-1041, as `list` shows.")
]
Stage = Annotated[
    list[str] | None,
    typer.Option(metavar="STAGE", help="`gateway`, `job/page-views`, or a job's or sink's name; repeatable."),
]
Reason = Annotated[
    list[str] | None,
    typer.Option(metavar="REASON", help="Malformed, SchemaInvalid, Late, Unloadable, Failed; repeatable."),
]
Topic = Annotated[
    list[str] | None,
    typer.Option(metavar="TOPIC", autocompletion=complete_topic, help="Where the record was read; repeatable."),
]
Key = Annotated[str | None, typer.Option(metavar="TEXT", help="The record's key, as text.")]
Error = Annotated[str | None, typer.Option(metavar="TEXT", help="Part of why.")]
Since = Annotated[str | None, typer.Option(metavar="TIME", help="Dead-lettered since: 2h (ago), or RFC 3339.")]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Dead-lettered before.")]
Where = Annotated[
    str | None,
    typer.Option(metavar="JSONPATH", help="On the value (RFC 9535): '@.amount > 10', or a path that finds something."),
]
Every = Annotated[bool, typer.Option("--every", help="All open letters, where no condition is given.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, with samples; change nothing.")]


@app.command("list", epilog="Example: headrace dlq list --reason Late --since 2h")
def list_(
    *,
    letters: Letters = None,
    stage: Stage = None,
    reason: Reason = None,
    topic: Topic = None,
    key: Key = None,
    error: Error = None,
    since: Since = None,
    until: Until = None,
    where: Where = None,
    everything: Annotated[bool, typer.Option("--all", help="Redriven and discarded letters, too.")] = False,
    limit: Annotated[int, typer.Option("-n", "--limit", min=0, help="The newest so many letters.")] = 20,
    as_json: AsJson = False,
    pipeline: Pipeline = None,
    state: State = DEFAULT_STATE,
) -> None:
    """Count letters by stage, reason and topic, and show the newest."""
    from headrace.cli.conditions import Conditions
    from headrace.cli.letters import list_letters

    wish = Conditions.of(
        letters=letters,
        stages=stage,
        reasons=reason,
        topics=topic,
        key=key,
        error=error,
        since=since,
        until=until,
        where=where,
        now=_now(),
    )
    raise typer.Exit(list_letters(state, pipeline, wish, everything=everything, limit=limit, as_json=as_json))


@app.command(epilog="Example: headrace dlq peek 2-1041")
def peek(
    *,
    letters: Letters = None,
    stage: Stage = None,
    reason: Reason = None,
    topic: Topic = None,
    key: Key = None,
    error: Error = None,
    since: Since = None,
    until: Until = None,
    where: Where = None,
    limit: Annotated[int, typer.Option("-n", "--limit", min=1, help="The newest so many letters.")] = 3,
    pipeline: Pipeline = None,
    state: State = DEFAULT_STATE,
) -> None:
    """Show letters whole: why, where from, key, value, headers, and what became of them."""
    from headrace.cli.conditions import Conditions
    from headrace.cli.letters import peek_letters

    wish = Conditions.of(
        letters=letters,
        stages=stage,
        reasons=reason,
        topics=topic,
        key=key,
        error=error,
        since=since,
        until=until,
        where=where,
        now=_now(),
    )
    raise typer.Exit(peek_letters(state, pipeline, wish, limit=limit))


@app.command(epilog="Example: headrace dlq export --stage sink/raw-clicks -o letters.ndjson")
def export(
    *,
    letters: Letters = None,
    stage: Stage = None,
    reason: Reason = None,
    topic: Topic = None,
    key: Key = None,
    error: Error = None,
    since: Since = None,
    until: Until = None,
    where: Where = None,
    everything: Annotated[bool, typer.Option("--all", help="Redriven and discarded letters, too.")] = False,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Else standard output.")] = None,
    pipeline: Pipeline = None,
    state: State = DEFAULT_STATE,
) -> None:
    """Write letters as JSON lines: the envelope, the value as JSON, key, value and headers as base64."""
    from headrace.cli.conditions import Conditions
    from headrace.cli.letters import export_letters

    wish = Conditions.of(
        letters=letters,
        stages=stage,
        reasons=reason,
        topics=topic,
        key=key,
        error=error,
        since=since,
        until=until,
        where=where,
        now=_now(),
    )
    raise typer.Exit(export_letters(state, pipeline, wish, everything=everything, output=output))


@app.command(
    epilog="""Example: headrace dlq redrive --stage gateway --patch '[{"op": "remove", "path": "/amount"}]' --dry-run"""
)
def redrive(
    *,
    letters: Letters = None,
    stage: Stage = None,
    reason: Reason = None,
    topic: Topic = None,
    key: Key = None,
    error: Error = None,
    since: Since = None,
    until: Until = None,
    where: Where = None,
    every: Every = False,
    dry_run: DryRun = False,
    patch: Annotated[
        str | None, typer.Option(metavar="JSON|@FILE", help="A JSON Patch (RFC 6902) applied to each value first.")
    ] = None,
    rate: Annotated[str | None, typer.Option(metavar="RATE", help="At most so many, such as 100/s.")] = None,
    external: Annotated[
        bool, typer.Option("--external", help="Also into topics that are not the pipeline's own.")
    ] = False,
    pipeline: Pipeline = None,
    state: State = DEFAULT_STATE,
) -> None:
    """Send letters again to the topic where they were read. Stopped and run again, each is sent once."""
    from headrace.cli.conditions import Conditions
    from headrace.cli.redrive import Redriving, redrive_letters

    wish = Conditions.of(
        letters=letters,
        stages=stage,
        reasons=reason,
        topics=topic,
        key=key,
        error=error,
        since=since,
        until=until,
        where=where,
        now=_now(),
    )
    wish.demand_one(every)
    redriving = Redriving(patch, parse_rate(rate) if rate else None, external=external, dry_run=dry_run)
    raise typer.Exit(redrive_letters(state, pipeline, wish, redriving))


@app.command(epilog="Example: headrace dlq discard --reason Late --until 7d")
def discard(
    *,
    letters: Letters = None,
    stage: Stage = None,
    reason: Reason = None,
    topic: Topic = None,
    key: Key = None,
    error: Error = None,
    since: Since = None,
    until: Until = None,
    where: Where = None,
    every: Every = False,
    dry_run: DryRun = False,
    pipeline: Pipeline = None,
    state: State = DEFAULT_STATE,
) -> None:
    """Mark letters as done without sending them. They stay in the topic until its retention takes them."""
    from headrace.cli.conditions import Conditions
    from headrace.cli.redrive import discard_letters

    wish = Conditions.of(
        letters=letters,
        stages=stage,
        reasons=reason,
        topics=topic,
        key=key,
        error=error,
        since=since,
        until=until,
        where=where,
        now=_now(),
    )
    wish.demand_one(every)
    raise typer.Exit(discard_letters(state, pipeline, wish, dry_run=dry_run))


def _now() -> datetime:
    return datetime.now(UTC)
