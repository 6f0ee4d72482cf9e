"""KafkaUsers: one identity per part, which may do what the plan has it do and nothing else.

Read and Write imply Describe; writing idempotently needs no right of its own since Kafka 3.0.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from headrace.core.documents import GatewayDocument
from headrace.core.plan import FlinkJob, Loader
from headrace.kubernetes.render.target import Part
from headrace.kubernetes.render.topics import CLUSTER_LABEL
from headrace.kubernetes.text import Manifest

Acl = dict[str, Any]


def render_user(part: Part, acls: Iterable[Acl]) -> Manifest:
    """The certificate comes as a Secret of the same name, from Strimzi's user operator."""
    return {
        "apiVersion": "kafka.strimzi.io/v1",
        "kind": "KafkaUser",
        "metadata": part.metadata(labels={CLUSTER_LABEL: part.target.platform.kafka.cluster}),
        "spec": {
            "authentication": {"type": "tls"},
            "authorization": {"type": "simple", "acls": list(acls)},
        },
    }


def gateway_acls(document: GatewayDocument) -> list[Acl]:
    """Every declared topic can be read over HTTP; those with ingestion are written. No consumer group is joined."""
    acls = [
        _acl("topic", topic.kafka_topic, "Read", "Write") if topic.ingest else _acl("topic", topic.kafka_topic, "Read")
        for topic in document.topics
    ]
    if any(topic.ingest and topic.ingest.on_invalid == "DeadLetter" for topic in document.topics):
        acls.append(_acl("topic", document.dead_letter_topic, "Write"))
    return acls


def job_acls(job: FlinkJob, *, exactly_once: bool) -> list[Acl]:
    acls = [_acl("topic", topic, "Read") for topic in job.reads]
    acls += [_acl("topic", topic, "Write") for topic in job.writes]
    acls.append(_acl("group", job.name, "Read"))
    if exactly_once:
        # Flink adds subtask and checkpoint to the ids; the dot keeps jobs apart whose names begin alike.
        acls.append(_acl("transactionalId", f"{job.name}.", "Describe", "Write", pattern="prefix"))
    return acls


def loader_acls(loader: Loader) -> list[Acl]:
    """Of its dead letters it also reads: after a crash it looks which are written already."""
    document = loader.document
    return [
        _acl("topic", document.topic.kafka_topic, "Read"),
        _acl("topic", document.dead_letter_topic, "Read", "Write"),
        _acl("group", document.group_id, "Read"),
    ]


def _acl(kind: str, name: str, *operations: str, pattern: str = "literal") -> Acl:
    return {"resource": {"type": kind, "name": name, "patternType": pattern}, "operations": list(operations)}
