"""Names: unique within their list, and within Kafka's, Kubernetes' and Flink's limits with the prefix added."""

from __future__ import annotations

from collections.abc import Iterable

from headrace.core.problems import Path
from headrace.core.validate.findings import Findings
from headrace.core.wire.pipeline import StreamPipeline

KAFKA_MAX = 249  # org.apache.kafka.common.internals.Topic.MAX_NAME_LENGTH
DEPLOYMENT_MAX = 45  # the Flink operator's limit on a FlinkDeployment's name
LABEL_MAX = 52  # a StatefulSet's name, which becomes a label with an 11-character suffix
DEAD_LETTERS = "dead-letters"


def check(wire: StreamPipeline, found: Findings) -> None:
    spec, name = wire.spec, wire.metadata.name
    _unique(("spec", "topics"), "name", (t.name for t in spec.topics), found)
    _unique(("spec", "ingest"), "topic", (i.topic for i in spec.ingest), found)
    _unique(("spec", "jobs"), "name", (j.name for j in spec.jobs), found)
    _unique(("spec", "views"), "name", (v.name for v in spec.views), found)
    _unique(("spec", "sinks"), "name", (s.name for s in spec.sinks), found)
    _kafka_names(wire, found)
    for index, job in enumerate(spec.jobs):
        _length(("spec", "jobs", index, "name"), f"{name}-{job.name}", DEPLOYMENT_MAX, "a FlinkDeployment", found)
    for index, sink in enumerate(spec.sinks):
        _length(("spec", "sinks", index, "name"), f"{name}-{sink.name}", LABEL_MAX, "a Deployment", found)
    _length(("metadata", "name"), f"{name}-gateway", LABEL_MAX, "a Deployment", found)
    # A job and a sink share the form of their consumer group, <pipeline>.<name>.
    jobs = {job.name for job in spec.jobs}
    for index, sink in enumerate(spec.sinks):
        if sink.name in jobs:
            path = ("spec", "sinks", index, "name")
            found.add(path, f"{sink.name!r} is also a job: they would share one consumer group", "rename one")


def _kafka_names(wire: StreamPipeline, found: Findings) -> None:
    """Kubernetes object names have no _, and Kafka's metrics cannot tell . from _: both make names collide."""
    seen = {DEAD_LETTERS: "the pipeline's dead-letter topic"}
    for index, topic in enumerate(wire.spec.topics):
        path = ("spec", "topics", index, "name")
        key = topic.name.replace("_", "-")
        if key in seen and seen[key] != topic.name:
            found.add(path, f"{topic.name!r} and {seen[key]} would get the same Kubernetes name", "rename one")
        seen.setdefault(key, topic.name)
        _length(path, f"{wire.metadata.name}.{topic.name}", KAFKA_MAX, "a Kafka topic", found)
        if topic.external and topic.external.kafka_name in (".", ".."):
            found.add(("spec", "topics", index, "external", "kafkaName"), "is no Kafka topic name")


def _unique(path: Path, key: str, names: Iterable[str], found: Findings) -> None:
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        if name in first:
            found.add((*path, index, key), f"{name!r} is already at {path[-1]}[{first[name]}]", "names are unique")
        first.setdefault(name, index)


def _length(path: Path, full: str, limit: int, what: str, found: Findings) -> None:
    if len(full) > limit:
        found.add(path, f"makes the name {full[:60]!r}…, {len(full)} characters; {what} has at most {limit}")
