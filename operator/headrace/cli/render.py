"""`headrace render`: the Kubernetes objects of a pipeline as YAML, exactly what the operator would apply."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import typer

from headrace.cli.manifests import WRONG_MANIFEST, load_or_exit
from headrace.core.plan import plan
from headrace.core.wire.platform import StreamPlatform
from headrace.kubernetes.render import find_mismatches, render, resolve_platform
from headrace.kubernetes.text import Manifest, to_yaml

DEFAULT_NAMESPACE = "default"  # kubectl's


def show_objects(pipelines: dict[str, str], platform: dict[str, str], namespace: str | None) -> None:
    """Prints the objects of every pipeline; exits with 1, and prints nothing, when anything is wrong."""
    loaded = load_or_exit({**platform, **pipelines})
    if not loaded.pipelines:
        _refuse(f"{', '.join(pipelines)}: holds no StreamPipeline; there is nothing to render")
    where = _one(loaded.platforms, platform)
    space = namespace or where.metadata.namespace or DEFAULT_NAMESPACE
    objects: list[Manifest] = []
    for pipeline in loaded.pipelines:
        if found := find_mismatches(pipeline, where):
            _refuse("\n".join(f"{pipeline.name}: {problem}" for problem in found))
        objects += render(plan(pipeline, resolve_platform(where, space)), where, space)
    typer.echo(to_yaml(objects), nl=False)


def _one(platforms: Sequence[StreamPlatform], files: dict[str, str]) -> StreamPlatform:
    if len(platforms) != 1:
        _refuse(f"{', '.join(files)}: {len(platforms)} StreamPlatforms were given; rendering needs exactly one")
    return platforms[0]


def _refuse(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(WRONG_MANIFEST)
