"""`schema infer`: the schema of a job's output from its query; Flink's planner says which columns it has."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, cast

import typer
from rich.console import Console

from headrace.cli.manifests import read_files
from headrace.core.inference import load_for_inference
from headrace.core.pipeline import Job, Pipeline
from headrace.core.problems import Problem, nearest
from headrace.core.schema_text import NoSuchTypeError
from headrace.local.announce import announcer_for
from headrace.local.offline import infer_schema as ask_planner
from headrace.local.offline import offline_planner

WRONG_MANIFEST = 1
Format = Literal["JSON", "Avro", "Protobuf"]
FORMATS = {name.lower(): name for name in ("JSON", "Avro", "Protobuf")}


def infer_schema(files: Sequence[Path], topic: str, format_: str) -> int:
    """Prints the schema alone; raises PartError when Flink cannot be had."""
    if format_.lower() not in FORMATS:
        raise typer.BadParameter(
            f"{format_!r} is no format ({nearest(format_, FORMATS.values())})", param_hint="--format"
        )
    pipelines: list[Pipeline] = []
    for source, text in read_files(files).items():
        for found in load_for_inference(text, source):
            if isinstance(found, Problem):
                typer.echo(str(found), err=True)
            else:
                pipelines.append(found)
    if not pipelines:
        return WRONG_MANIFEST
    pipeline, job = _writer_of(topic, pipelines)
    try:
        schema, complaints = asyncio.run(_ask(pipeline, job, cast("Format", FORMATS[format_.lower()])))
    except NoSuchTypeError as error:
        typer.echo(f"{job.name}: {error}", err=True)
        return WRONG_MANIFEST
    for complaint in complaints:
        typer.echo(f"{job.name}: {complaint}", err=True)
    if complaints:
        return WRONG_MANIFEST
    typer.echo(schema.rstrip("\n"))
    return 0


async def _ask(pipeline: Pipeline, job: Job, format_: Format) -> tuple[str, Sequence[object]]:
    async with offline_planner(announcer_for(Console(stderr=True))) as planner:
        return await ask_planner(planner, pipeline, job, format_)


def _writer_of(topic: str, pipelines: Sequence[Pipeline]) -> tuple[Pipeline, Job]:
    """The job that writes the topic, or that has this name. Raises BadParameter."""
    jobs = [(pipeline, job) for pipeline in pipelines for job in pipeline.jobs]
    found = [(pipeline, job) for pipeline, job in jobs if topic in (job.output, job.name)]
    if not found:
        hint = nearest(topic, [job.output for _, job in jobs])
        raise typer.BadParameter(f"no job writes {topic!r} ({hint})", param_hint="TOPIC")
    return found[0]
