"""Flink's planner without anything that runs: it checks jobs against their declared schemas, and tells their columns.

What it plans is the very document that `up` would run, for a platform whose addresses nobody answers: planning
connects to nothing.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path as Folder

from headrace.core.documents import Auth, SnowflakeConnection
from headrace.core.manifest import Document
from headrace.core.pipeline import Job, Pipeline
from headrace.core.plan import plan
from headrace.core.platform import FlinkDefaults, Platform
from headrace.core.problems import Path, Problem
from headrace.core.schema_text import Format, result_columns, schema_text
from headrace.core.sql.query import query_statements
from headrace.local.announce import Announcer
from headrace.local.flink_jobs import make_runner
from headrace.local.flink_words import Complaint, complaints_of, left_out
from headrace.local.planner import Planner
from headrace.local.processes.spawn import Spawner
from headrace.local.site import open_site

NOWHERE = Platform(
    name="default",
    kafka=(("bootstrap.servers", "127.0.0.1:1"),),
    registry_url="http://127.0.0.1:1",
    flink=FlinkDefaults(checkpoint_dir="file:///nowhere", savepoint_dir="file:///nowhere"),
    auth=Auth(issuer="nobody", audience="nobody", jwks_file="nowhere"),
    snowflake=SnowflakeConnection(account="none", user="none"),
    database="NONE",
)


@asynccontextmanager
async def offline_planner(announcer: Announcer) -> AsyncIterator[Planner]:
    """A planner of its own; the Flink environment is fetched first, with its progress shown. Raises PartError."""
    with tempfile.TemporaryDirectory(prefix="headrace-") as folder, Spawner() as spawner:
        site = open_site(Folder(folder), announcer)
        runner = await make_runner(site, spawner)
        planner = Planner(site, spawner, runner, {}, record=False)
        with announcer.work("starting Flink's planner"):
            await planner.start()
        try:
            yield planner
        finally:
            await planner.close()


async def check_jobs(planner: Planner, pipeline: Pipeline, document: Document, text: str) -> tuple[Problem, ...]:
    """What Flink's planner has against the pipeline's jobs, each at its line of the manifest (`text`)."""
    found: list[Problem] = []
    for index, job in enumerate(plan(pipeline, NOWHERE).jobs):
        path: Path = ("spec", "jobs", index, "sql")
        answer = await planner.check(job.document)
        found += [_problem(complaint, document, path, text) for complaint in complaints_of(answer)]
    return tuple(found)


async def unwritten_columns(planner: Planner, pipeline: Pipeline) -> list[str]:
    """A line for each job whose SELECT gives columns that its output does not have; no mistake, but worth knowing."""
    told = []
    for job, planned in zip(pipeline.jobs, plan(pipeline, NOWHERE).jobs, strict=True):
        if names := left_out(await planner.check(planned.document)):
            told.append(f"job {job.name}: {', '.join(names)} of its SELECT is not in {job.output}'s schema: left out")
    return told


def _problem(complaint: Complaint, document: Document, path: Path, text: str) -> Problem:
    """In a block the SQL's lines are the manifest's, behind the block's indentation."""
    line, column = document.locate(path)
    if complaint.line is not None:
        first = document.line_within(path, 1)
        # Empty lines at the start are not part of the SQL that Flink sees.
        line = document.line_within(path, complaint.line + _empty_lines(document, path))
        column = (complaint.column or 1) + (_indentation(text, first) if path in document.blocks else 0)
    return Problem(path, complaint.message, complaint.hint, line, column, document.source)


def _empty_lines(document: Document, path: Path) -> int:
    sql = str(document.value["spec"]["jobs"][path[2]]["sql"])
    return sql[: len(sql) - len(sql.lstrip())].count("\n")


def _indentation(text: str, line: int) -> int:
    """Of a block whose first line is this: that of its first line with anything on it."""
    for content in text.splitlines()[line - 1 :]:
        if content.strip():
            return len(content) - len(content.lstrip(" "))
    return 0


async def infer_schema(
    planner: Planner, pipeline: Pipeline, job: Job, format_: Format
) -> tuple[str, Sequence[Complaint]]:
    """The text of a schema for what the job's SELECT gives; or why Flink refuses the SELECT.

    Raises NoSuchTypeError for a column that the format cannot carry.
    """
    answer = await planner.describe(query_statements(job, pipeline), {"table.local-time-zone": "UTC"})
    if complaints := complaints_of(answer):
        return "", complaints
    return schema_text(result_columns(answer["columns"]), format_, job.output), ()
