"""Manifest text to pipelines: the three pure steps parse_yaml → parse_model → validate, in one call."""

from __future__ import annotations

from dataclasses import dataclass

from headrace.core.manifest import Document, parse_yaml
from headrace.core.parse import parse_model
from headrace.core.pipeline import Pipeline
from headrace.core.problems import Problem, nearest, shorten
from headrace.core.validate import validate
from headrace.core.wire.common import API_VERSION
from headrace.core.wire.pipeline import StreamPipeline


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a text held: every pipeline without a problem, and every problem of the others."""

    pipelines: tuple[Pipeline, ...]
    problems: tuple[Problem, ...]


def load(text: str | bytes, source: str = "") -> Loaded:
    """Every StreamPipeline of the text. `source` (a file's name) starts each problem. Never raises."""
    documents = parse_yaml(text, source)
    pipelines: list[Pipeline] = []
    problems: list[Problem] = []
    for document in documents:
        if isinstance(document, Problem):
            problems.append(document)
            continue
        result = _load_document(document)
        if isinstance(result, Pipeline):
            if any(other.name == result.name for other in pipelines):
                problems.append(document.problem(("metadata", "name"), f"{result.name!r} is declared twice"))
            pipelines.append(result)
        else:
            problems.extend(result)
    if not documents:
        problems.append(Problem((), "holds no document", "start with apiVersion: " + API_VERSION, source=source))
    return Loaded(tuple(pipelines), tuple(problems))


def _load_document(document: Document) -> Pipeline | list[Problem]:
    if not isinstance(document.value, dict):
        return [document.problem((), "must be a mapping with apiVersion, kind, metadata and spec")]
    kind = document.value.get("kind")
    if kind != "StreamPipeline":
        # The kind decides which model applies, so its error comes alone: the others would mislead.
        hint = nearest(kind, ["StreamPipeline"]) if isinstance(kind, str) else "kind: StreamPipeline"
        message = f"{shorten(kind)!r} is no kind that is read here" if isinstance(kind, str) else "is required"
        return [document.problem(("kind",), message, hint)]
    wire = parse_model(document, StreamPipeline)
    return wire if isinstance(wire, list) else validate(document, wire)
