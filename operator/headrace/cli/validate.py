"""`headrace validate --deep`: what Flink's own planner has against the jobs, at the lines of the manifest."""

from __future__ import annotations

from collections.abc import Sequence

import typer
from rich.console import Console

from headrace.core.manifest import Document, parse_yaml
from headrace.core.pipeline import Pipeline
from headrace.core.problems import Problem
from headrace.local.announce import announcer_for
from headrace.local.offline import check_jobs, offline_planner, unwritten_columns

VALID, WRONG_MANIFEST = 0, 1


async def check_deeply(texts: dict[str, str], pipelines: Sequence[Pipeline]) -> int:
    """1 when the planner refuses a job. Needs the Flink environment, and nothing that runs. Raises PartError."""
    with_jobs = [pipeline for pipeline in pipelines if pipeline.jobs]
    if not with_jobs:
        typer.echo("no pipeline has a job: Flink's planner has nothing to check", err=True)
        return VALID
    problems = 0
    async with offline_planner(announcer_for(Console(stderr=True))) as planner:
        for pipeline in with_jobs:
            document, text = _document_of(pipeline, texts)
            found = await check_jobs(planner, pipeline, document, text)
            for problem in found:
                typer.echo(str(problem), err=True)
            problems += len(found)
            if not found:
                count = len(pipeline.jobs)
                typer.echo(f"{pipeline.name}: Flink plans its {count} {'job' if count == 1 else 'jobs'}")
                for line in await unwritten_columns(planner, pipeline):
                    typer.echo(f"  {line}", err=True)
    if problems:
        typer.echo(f"{problems} {'problem' if problems == 1 else 'problems'}; nothing was changed", err=True)
    return WRONG_MANIFEST if problems else VALID


def _document_of(pipeline: Pipeline, texts: dict[str, str]) -> tuple[Document, str]:
    """The YAML document that a valid pipeline was read from, for its lines."""
    for source, text in texts.items():
        for document in parse_yaml(text, source):
            if isinstance(document, Problem) or document.value.get("kind") != "StreamPipeline":
                continue
            if document.value["metadata"]["name"] == pipeline.name:
                return document, text
    raise KeyError(pipeline.name)
