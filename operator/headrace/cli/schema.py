"""`headrace schema …`: schemas against a registry, inferred from a query, and of the manifest itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headrace.cli.options import DEFAULT_STATE, Files, State

app = typer.Typer(
    help="Schemas: check them against a registry, register them, infer a job's output, and the manifest's own.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Topic = Annotated[list[str] | None, typer.Option("--topic", metavar="TOPIC", help="Only these topics; repeatable.")]
Registry = Annotated[
    str | None, typer.Option("--registry", metavar="URL", help="Confluent's API; else the running `up`'s registry.")
]


@app.command(epilog="Example: headrace schema check -f pipeline.yaml")
def check(file: Files, *, topic: Topic = None, registry: Registry = None, state: State = DEFAULT_STATE) -> None:
    """Say whether the schemas may become the next versions, and which field breaks it. Registers nothing; 1 if not."""
    from headrace.cli.schema_check import check_schemas, subjects_of

    raise typer.Exit(check_schemas(subjects_of(file, topic or []), registry, state))


@app.command(epilog="Example: headrace schema register -f pipeline.yaml --registry http://127.0.0.1:8081")
def register(file: Files, *, topic: Topic = None, registry: Registry = None, state: State = DEFAULT_STATE) -> None:
    """Register the schemas, all or none: 1 and nothing is changed when one of them is not compatible."""
    from headrace.cli.schema_check import register_schemas, subjects_of

    raise typer.Exit(register_schemas(subjects_of(file, topic or []), registry, state))


@app.command(epilog="Example: headrace schema infer -f pipeline.yaml page_views --format Avro")
def infer(
    file: Files,
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="A topic that a job writes.")],
    *,
    format_: Annotated[str, typer.Option("--format", metavar="FORMAT", help="JSON, Avro or Protobuf.")] = "JSON",
) -> None:
    """Print the schema of a job's output, as Flink's planner sees its query; the topic needs no schema yet."""
    from headrace.cli.schema_infer import infer_schema

    raise typer.Exit(infer_schema(file, topic, format_))


@app.command(epilog="Example: headrace schema manifest > streampipeline.schema.json")
def manifest(
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Else standard output.")] = None,
) -> None:
    """Print the JSON Schema of a manifest, with which an editor completes and checks it (docs/how-to/editor.md)."""
    from headrace.cli.manifest_schema import render_manifest_schema

    text = render_manifest_schema()
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.write_text(text)
    except OSError as error:
        raise typer.BadParameter(f"{output} cannot be written: {error.strerror}", param_hint="--output") from error
