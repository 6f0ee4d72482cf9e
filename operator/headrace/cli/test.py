"""`headrace test`: the fixtures beside manifests, through the real jobs; what differs, and a JUnit file."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import typer
from rich.console import Console

from headrace.core.pipeline import Pipeline
from headrace.core.problems import Problem
from headrace.local.announce import announcer_for
from headrace.local.state import write_whole
from headrace.testing.cases import Case
from headrace.testing.fixtures import FOLDER, find_files, parse_fixtures
from headrace.testing.records import needs_registry
from headrace.testing.report import junit, render_result
from headrace.testing.run import Result, run_cases
from headrace.testing.world import open_world

PASSED, FAILED, WRONG_USAGE = 0, 1, 2
Chosen = list[tuple[Pipeline, list[Case]]]


async def test_pipelines(
    manifests: Sequence[tuple[Path, Sequence[Pipeline]]], pattern: str, report: Path | None
) -> int:
    """0 when all cases pass, 1 when one fails or a fixture is wrong, 2 when there is none to run."""
    chosen, problems = load_cases(manifests, pattern)
    for problem in problems:
        typer.echo(str(problem), err=True)
    if problems:
        return FAILED
    if not any(cases for _, cases in chosen):
        return _nothing(manifests, pattern)
    console = Console()
    started = time.monotonic()
    results = await _run(chosen, console)
    if report is not None:
        write_whole(report, junit(results))
    failed = sum(not result.passed for result in results)
    console.print(
        f"{len(results) - failed} passed" + (f", {failed} failed" if failed else ""),
        f"in {time.monotonic() - started:.1f} s",
        style="red" if failed else "green",
        highlight=False,
    )
    return FAILED if failed else PASSED


def load_cases(manifests: Sequence[tuple[Path, Sequence[Pipeline]]], pattern: str) -> tuple[Chosen, list[Problem]]:
    """The cases of each pipeline whose name holds `pattern`, in whatever case; and what is wrong with fixtures."""
    chosen: Chosen = []
    problems: list[Problem] = []
    for manifest, pipelines in manifests:
        cases: dict[str, list[Case]] = {pipeline.name: [] for pipeline in pipelines}
        for file in find_files(manifest):
            for found in parse_fixtures(file.read_bytes(), file, pipelines, _shown(file)):
                if isinstance(found, Problem):
                    problems.append(found)
                elif pattern.casefold() in found.id.casefold():
                    cases[found.pipeline].append(found)
        chosen += [(pipeline, cases[pipeline.name]) for pipeline in pipelines]
    return chosen, problems


def _shown(file: Path) -> str:
    """As short as it can be named from here."""
    return str(file.relative_to(Path.cwd())) if file.is_relative_to(Path.cwd()) else str(file)


async def _run(chosen: Chosen, console: Console) -> list[Result]:
    stopped = asyncio.current_task()
    loop = asyncio.get_running_loop()
    if stopped is not None:  # parts end in order, also when CI gives up
        loop.add_signal_handler(signal.SIGTERM, stopped.cancel)
    registry = any(needs_registry(pipeline.topics) for pipeline, cases in chosen if cases)
    results: list[Result] = []
    async with open_world(announcer_for(console), with_registry=registry) as world:
        for pipeline, cases in chosen:
            results += await run_cases(world, pipeline, cases, partial(_show, console), len(results))
    return results


def _show(console: Console, result: Result) -> None:
    for line in render_result(result):
        console.print(line, highlight=False, soft_wrap=True)


def _nothing(manifests: Sequence[tuple[Path, Sequence[Pipeline]]], pattern: str) -> int:
    folders = ", ".join(_shown(manifest.absolute().parent / FOLDER) for manifest, _ in manifests)
    what = f"no case has {pattern!r} in its name" if pattern else "there are no fixtures"
    typer.echo(f"{what} in {folders}; docs/how-to/test-a-pipeline.md shows how to write some", err=True)
    return WRONG_USAGE
