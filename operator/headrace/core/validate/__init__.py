"""Wire model to `Pipeline`: every check that looks at more than one field.

Each section has a module; each returns what it could resolve and adds what is wrong to `Findings`, so that one run
reports everything. A `Pipeline` comes out only when nothing was found, and then `plan` cannot fail.
"""

from __future__ import annotations

from headrace.core.durations import parse_duration
from headrace.core.manifest import Document
from headrace.core.pipeline import Objectives, Pipeline
from headrace.core.problems import Problem
from headrace.core.validate import endpoints, jobs, names, sinks, topics
from headrace.core.validate.findings import Findings
from headrace.core.wire.pipeline import StreamPipeline


def validate(document: Document, wire: StreamPipeline) -> Pipeline | list[Problem]:
    """The pipeline, or every problem with its field, line and a hint."""
    found = Findings(document)
    names.check(wire, found)
    declared = topics.resolve(wire.spec.topics, found)
    pipeline = Pipeline(
        name=wire.metadata.name,
        platform=wire.spec.platform_ref.name,
        topics=tuple(declared.values()),
        ingest=endpoints.resolve_ingest(wire, declared, found),
        jobs=jobs.resolve(wire, declared, found),
        views=endpoints.resolve_views(wire, declared, found),
        sinks=sinks.resolve(wire, declared, found),
        objectives=_objectives(wire),
    )
    topics.check_writers(wire, declared, found)
    return found.problems if found.problems else pipeline


def _objectives(wire: StreamPipeline) -> Objectives | None:
    given = wire.spec.objectives
    if given is None:
        return None
    return Objectives(
        window_ms=parse_duration(given.window),
        delivery_ratio=float(given.delivery_ratio.rstrip("%")) / 100,
        latency_p95_ms=parse_duration(given.latency_p95),
        max_lag_ms=parse_duration(given.max_lag),
    )
