"""The pipelines that run, as the parts run them: found through the control socket, read from the state's documents.

Everything that asks about events (`send`, `tail`, `explain`, `dlq`) starts here.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import typer

from headrace.core.documents import GatewayDocument, GatewayTopic, JobDocument, LoaderDocument
from headrace.core.problems import nearest
from headrace.local.control import NOTHING_RUNS, ask
from headrace.local.errors import PartError


@contextlib.contextmanager
def parts_worded() -> Iterator[None]:
    """Around a command: what Kafka does not give or take becomes the error that ends with exit code 3."""
    from headrace_apps.dead_letters.resolver import ResolveError
    from headrace_apps.inspection.scan import UnreadableError

    try:
        yield
    except UnreadableError as error:
        raise PartError(str(error), "look at `headrace status`, then run this again") from error
    except ResolveError as error:
        raise PartError(str(error), "each letter is sent once, however often this runs") from error


@dataclass(frozen=True)
class RunningPipeline:
    """`gateway_url` is where it takes events; the documents are what its parts run."""

    name: str
    gateway_url: str
    gateway: GatewayDocument
    loaders: tuple[LoaderDocument, ...]
    jobs: tuple[JobDocument, ...]

    @property
    def dead_letter_topic(self) -> str:
        return self.gateway.dead_letter_topic


@dataclass(frozen=True)
class RunningPipelines:
    """`addresses` as in the status."""

    state: Path
    addresses: Mapping[str, Any]
    pipelines: Mapping[str, RunningPipeline]

    def named(self, name: str | None) -> RunningPipeline:
        """That pipeline, or the only one. Raises BadParameter."""
        if name is None and len(self.pipelines) == 1:
            return next(iter(self.pipelines.values()))
        known = ", ".join(self.pipelines)
        if name is None:
            raise typer.BadParameter(f"several pipelines run: {known}; name one", param_hint="--pipeline")
        if name not in self.pipelines:
            hint = nearest(name, self.pipelines)
            raise typer.BadParameter(f"no pipeline {name!r} runs ({hint})", param_hint="--pipeline")
        return self.pipelines[name]

    def topic(self, name: str) -> tuple[RunningPipeline, GatewayTopic]:
        """`clicks` when one pipeline has it, or `clickstream.clicks`; views by their name, too. Raises BadParameter."""
        found = [
            (pipeline, topic)
            for pipeline in self.pipelines.values()
            for topic in pipeline.gateway.topics
            if name in (topic.name, f"{pipeline.name}.{topic.name}", topic.kafka_topic)
        ]
        found = found or list(self._viewed(name))
        if len(found) == 1:
            return found[0]
        known = [f"{p.name}.{t.name}" for p in self.pipelines.values() for t in p.gateway.topics]
        if found:
            several = ", ".join(f"{pipeline.name}.{topic.name}" for pipeline, topic in found)
            raise typer.BadParameter(f"{name!r} is in several pipelines: {several}", param_hint="TOPIC")
        raise typer.BadParameter(f"there is no topic {name!r}; there are: {', '.join(known)}", param_hint="TOPIC")

    def _viewed(self, name: str) -> Iterator[tuple[RunningPipeline, GatewayTopic]]:
        for pipeline in self.pipelines.values():
            for view in pipeline.gateway.views:
                if name in (view.name, f"{pipeline.name}.{view.name}"):
                    yield pipeline, pipeline.gateway.topic(view.topic)


def find_pipelines(state: Path) -> RunningPipelines:
    """What runs on the state. Raises PartError when nothing does, or nothing is ready yet."""
    try:
        answer = asyncio.run(ask(state, {"do": "status"}, lambda _: None))
    except NOTHING_RUNS as error:
        raise PartError(f"nothing runs on {state}", "start it with `headrace up -f FILE`, or name --state") from error
    except ConnectionError as error:
        raise PartError(str(error), "ask again") from error
    status = answer.get("status", {"addresses": {"gateways": {}}, "resources": []})
    resources = [resource["id"] for resource in status["resources"]]
    pipelines = read_pipelines(state.absolute() / "documents", status["addresses"]["gateways"], resources)
    if not pipelines:
        raise PartError(f"the `headrace up` on {state} is still starting", "look at `headrace status`, then run this")
    return RunningPipelines(state, status["addresses"], pipelines)


def read_pipelines(folder: Path, gateways: Mapping[str, str], resources: Iterable[str]) -> dict[str, RunningPipeline]:
    """By name, from the documents that `up` handed over. `gateways`: addresses; `resources`: ids as in the status.

    What was not handed over yet is left out; a document that an earlier run left behind is no resource.
    """
    parts = [resource.split("/", 1) for resource in resources]
    loaders = _documents(LoaderDocument, (folder / f"loader-{name}.json" for kind, name in parts if kind == "loader"))
    jobs = _documents(JobDocument, (folder / f"job-{name}.json" for kind, name in parts if kind == "job"))
    pipelines = {}
    for name, url in sorted(gateways.items()):
        for gateway in _documents(GatewayDocument, [folder / f"gateway-{name}.json"]):
            prefix = gateway.dead_letter_topic.removesuffix("dead-letters")
            pipelines[name] = RunningPipeline(
                name,
                url,
                gateway,
                tuple(loader for loader in loaders if loader.pipeline == name),
                tuple(job for job in jobs if job.name.startswith(prefix)),
            )
    return pipelines


Document = TypeVar("Document", GatewayDocument, LoaderDocument, JobDocument)


def _documents(kind: type[Document], files: Iterable[Path]) -> list[Document]:
    """Those of the files that are there and whole."""
    found = []
    for file in files:
        with contextlib.suppress(OSError, ValueError):
            found.append(kind.from_json(file.read_bytes()))
    return found
