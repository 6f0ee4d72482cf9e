"""Manifest text to pipelines (and platforms): the three pure steps parse_yaml → parse_model → validate, in one call."""

from __future__ import annotations

from dataclasses import dataclass

from headrace.core.manifest import Document, parse_yaml
from headrace.core.parse import parse_model
from headrace.core.pipeline import Pipeline
from headrace.core.problems import Problem, nearest, shorten
from headrace.core.validate import validate
from headrace.core.wire.common import API_VERSION
from headrace.core.wire.pipeline import StreamPipeline
from headrace.core.wire.platform import StreamPlatform

KINDS = ("StreamPipeline", "StreamPlatform")


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a text held: every resource without a problem, and every problem of the others."""

    pipelines: tuple[Pipeline, ...]
    platforms: tuple[StreamPlatform, ...]
    problems: tuple[Problem, ...]


def load(text: str | bytes, source: str = "") -> Loaded:
    """Every resource of the text. `source` (a file's name) starts each problem. Never raises."""
    documents = parse_yaml(text, source)
    pipelines: dict[str, Pipeline] = {}
    platforms: list[StreamPlatform] = []
    problems: list[Problem] = []
    for document in documents:
        match _load_document(document):
            case Pipeline() as pipeline if pipeline.name in pipelines:
                message = f"{pipeline.name!r} is declared twice"
                problems.append(Problem(("metadata", "name"), message, source=source))
            case Pipeline() as pipeline:
                pipelines[pipeline.name] = pipeline
            case StreamPlatform() as platform:
                platforms.append(platform)
            case found:
                problems.extend(found)
    if not documents:
        problems.append(Problem((), "holds no document", "start with apiVersion: " + API_VERSION, source=source))
    return Loaded(tuple(pipelines.values()), tuple(platforms), tuple(problems))


def _load_document(document: Document | Problem) -> Pipeline | StreamPlatform | list[Problem]:
    if isinstance(document, Problem):
        return [document]
    if not isinstance(document.value, dict):
        return [document.problem((), "must be a mapping with apiVersion, kind, metadata and spec")]
    kind = document.value.get("kind")
    if kind == "StreamPlatform":
        return parse_model(document, StreamPlatform)
    if kind != "StreamPipeline":
        # The kind decides which model applies, so its error comes alone: the others would mislead.
        hint = nearest(kind, KINDS) if isinstance(kind, str) else "kind: StreamPipeline"
        message = f"{shorten(kind)!r} is no kind that is read here" if isinstance(kind, str) else "is required"
        return [document.problem(("kind",), message, hint)]
    wire = parse_model(document, StreamPipeline)
    return wire if isinstance(wire, list) else validate(document, wire)
