"""`schema check` and `register`: the subjects of manifests against a registry, as `up` does it first of all."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import typer

from headrace.cli.manifests import load_pipelines_or_exit, read_files
from headrace.cli.pipelines import find_pipelines
from headrace.core.diff import Action, Step
from headrace.core.pipeline import Pipeline
from headrace.core.plan import Subject, plan
from headrace.core.problems import nearest
from headrace.local.announce import LineAnnouncer
from headrace.local.errors import PartError
from headrace.local.loopback import loopback_client
from headrace.local.platform import local_platform
from headrace.local.ports import Ports
from headrace.local.site import Site
from headrace.local.subjects import Subjects
from headrace.registry.compatibility import Verdict, check

REFUSED = 1
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def subjects_of(files: Sequence[Path], topics: Sequence[str]) -> list[Subject]:
    """Every subject that the manifests own, or those of the topics. Exits with 1 for a wrong manifest."""
    pipelines = load_pipelines_or_exit(read_files(files))
    found = [entry for pipeline in pipelines for entry in _declared(pipeline)]
    for name in topics:
        if name not in [topic for topic, _ in found]:
            hint = nearest(name, [topic for topic, _ in found])
            raise typer.BadParameter(f"no manifest declares a topic {name!r} ({hint})", param_hint="--topic")
    return [subject for topic, subject in found if not topics or topic in topics]


def _declared(pipeline: Pipeline) -> list[tuple[str, Subject]]:
    """By topic. Subjects do not depend on where the parts are, so no port is taken and no folder is made."""
    nowhere = Path().absolute()
    site = Site(nowhere, nowhere, _NoPorts(nowhere), LineAnnouncer(lambda _: None))
    owned = [topic.name for topic in pipeline.topics if topic.external is None]
    return list(zip(owned, plan(pipeline, local_platform(site)).subjects, strict=True))


class _NoPorts(Ports):
    def port(self, name: str, prefer: int | None = None) -> int:  # noqa: ARG002 - the same shape
        return prefer or 1


def check_schemas(subjects: Sequence[Subject], registry: str | None, state: Path) -> int:
    """Prints a verdict each; 1 when one is not allowed."""
    verdicts = asyncio.run(_verdicts(subjects, _address(registry, state)))
    for verdict in verdicts:
        typer.echo(str(verdict), err=not verdict.allowed)
    return 0 if all(verdict.allowed for verdict in verdicts) else REFUSED


def register_schemas(subjects: Sequence[Subject], registry: str | None, state: Path) -> int:
    """All are checked before any is registered."""
    url = _address(registry, state)
    verdicts = asyncio.run(_verdicts(subjects, url))
    refused = [verdict for verdict in verdicts if not verdict.allowed]
    for verdict in refused:
        typer.echo(str(verdict), err=True)
    if refused:
        typer.echo("nothing was registered", err=True)
        return REFUSED
    asyncio.run(_register(subjects, verdicts, url))
    return 0


async def _register(subjects: Sequence[Subject], verdicts: Sequence[Verdict], url: str) -> None:
    registry = Subjects(url)
    for subject, verdict in zip(subjects, verdicts, strict=True):
        if verdict.state == "unchanged":
            typer.echo(str(verdict))
            continue
        action = Action.CREATE if verdict.state == "first version" else Action.CHANGE
        await registry.apply(Step(action, subject.id, subject))
        typer.echo(f"{subject.name}: registered ({verdict.state})")


async def _verdicts(subjects: Sequence[Subject], url: str) -> list[Verdict]:
    try:
        async with _client(url) as client:
            return [await check(client, subject) for subject in subjects]
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise PartError(
            f"{url} does not answer as a registry: {error or type(error).__name__}",
            "name the base of Confluent's API with --registry, such as http://127.0.0.1:8081",
        ) from error


def _client(url: str) -> httpx.AsyncClient:
    """Past any proxy on this machine; elsewhere as the environment says."""
    if urlsplit(url).hostname in LOOPBACK:
        return loopback_client(base_url=url)
    return httpx.AsyncClient(base_url=url, timeout=20)


def _address(registry: str | None, state: Path) -> str:
    return registry.rstrip("/") if registry else str(find_pipelines(state).addresses["registry"])
