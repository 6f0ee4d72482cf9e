"""Manifest files to pipelines, or every problem printed: the first step of `validate`, `plan` and `up`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from headrace.core.load import Loaded, load
from headrace.core.pipeline import Pipeline
from headrace.core.problems import Problem
from headrace.core.wire.platform import StreamPlatform

WRONG_MANIFEST, WRONG_USAGE = 1, 2


def read_files(files: Sequence[Path]) -> dict[str, str]:
    """The texts by name; `-` is standard input. Exits with 2 when one cannot be read."""
    texts: dict[str, str] = {}
    for file in files:
        try:
            text = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        except OSError as error:
            typer.echo(f"{file}: cannot be read: {error.strerror}", err=True)
            raise typer.Exit(WRONG_USAGE) from error
        # Bytes that are no UTF-8 become marks that the parser refuses with their place.
        texts["<stdin>" if str(file) == "-" else str(file)] = text.decode("utf-8", "surrogateescape")
    return texts


def load_texts(texts: dict[str, str]) -> Loaded:
    """What all files hold together; a name that two files declare is a problem, too."""
    pipelines: dict[str, Pipeline] = {}
    platforms: list[StreamPlatform] = []
    problems: list[Problem] = []
    for source, text in texts.items():
        loaded = load(text, source)
        problems += loaded.problems
        platforms += loaded.platforms
        for pipeline in loaded.pipelines:
            if pipeline.name in pipelines:
                problems.append(
                    Problem(("metadata", "name"), f"{pipeline.name!r} is declared in another file, too", source=source)
                )
            pipelines[pipeline.name] = pipeline
    return Loaded(tuple(pipelines.values()), tuple(platforms), tuple(problems))


def load_or_exit(texts: dict[str, str]) -> Loaded:
    """What the files hold; prints every problem and exits with 1 when there is one."""
    loaded = load_texts(texts)
    if loaded.problems:
        for problem in loaded.problems:
            typer.echo(str(problem), err=True)
        count = len(loaded.problems)
        typer.echo(f"{count} {'problem' if count == 1 else 'problems'}; nothing was changed", err=True)
        raise typer.Exit(WRONG_MANIFEST)
    return loaded


def load_pipelines_or_exit(texts: dict[str, str]) -> tuple[Pipeline, ...]:
    """The pipelines, at least one; exits with 1 when there is none. Platforms are said to be ignored."""
    loaded = load_or_exit(texts)
    if not loaded.pipelines:
        typer.echo(f"{', '.join(texts)}: holds no StreamPipeline; there is nothing to run", err=True)
        raise typer.Exit(WRONG_MANIFEST)
    for platform in loaded.platforms:
        name = platform.metadata.name
        typer.echo(f"StreamPlatform {name!r} is ignored: on one machine a built-in platform serves", err=True)
    return loaded.pipelines
