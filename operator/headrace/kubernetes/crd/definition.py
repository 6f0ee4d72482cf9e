"""`definitions() -> objects`: both CustomResourceDefinitions, whole."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from headrace.core.wire.common import GROUP, Metadata
from headrace.core.wire.pipeline import PipelineSpec
from headrace.core.wire.platform import PlatformSpec
from headrace.kubernetes.crd import rules
from headrace.kubernetes.crd.rules import Rule
from headrace.kubernetes.crd.status import PipelineStatus, PlatformStatus
from headrace.kubernetes.crd.structural import Node, structural
from headrace.kubernetes.text import Manifest

VERSION = "v1alpha1"


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind: its models, what `rules` says of it, and how `kubectl get` shows it (title, type, JSON path)."""

    kind: str
    short_names: tuple[str, ...]
    description: str
    spec: type[BaseModel]
    status: type[BaseModel]
    columns: tuple[tuple[str, str, str], ...]
    list_keys: Mapping[str, tuple[str, ...]]
    rules: Mapping[str, tuple[Rule, ...]]
    sets: Collection[str] = ()


_READY = (
    ("Ready", "string", '.status.conditions[?(@.type=="Ready")].status'),
    ("Reason", "string", '.status.conditions[?(@.type=="Ready")].reason'),
)
_AGE = ("Age", "date", ".metadata.creationTimestamp")

PIPELINE = Resource(
    kind="StreamPipeline",
    short_names=("spl",),
    description="A streaming pipeline: its topics, what takes events in, the jobs between topics, views and sinks.",
    spec=PipelineSpec,
    status=PipelineStatus,
    columns=(
        *_READY,
        ("Topics", "string", ".status.summary.topics"),
        ("Jobs", "string", ".status.summary.jobs"),
        ("Sinks", "string", ".status.summary.sinks"),
        ("Lag", "string", ".status.summary.lag"),
        _AGE,
    ),
    list_keys=rules.PIPELINE_LIST_KEYS,
    rules=rules.PIPELINE_RULES,
    sets=rules.PIPELINE_SETS,
)
PLATFORM = Resource(
    kind="StreamPlatform",
    short_names=("splat",),
    description="Where the pipelines of this namespace run, by reference: brokers, registry, Flink, Snowflake, images.",
    spec=PlatformSpec,
    status=PlatformStatus,
    columns=(
        *_READY,
        ("Kafka", "string", ".spec.kafka.cluster"),
        ("Pipelines", "integer", ".status.pipelines"),
        _AGE,
    ),
    list_keys=rules.PLATFORM_LIST_KEYS,
    rules=rules.PLATFORM_RULES,
)


def definitions() -> tuple[Manifest, ...]:
    """The platform's first: a pipeline refers to one."""
    return definition(PLATFORM), definition(PIPELINE)


def definition(resource: Resource) -> Manifest:
    singular = resource.kind.lower()
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{singular}s.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": resource.kind,
                "listKind": f"{resource.kind}List",
                "plural": f"{singular}s",
                "singular": singular,
                "shortNames": list(resource.short_names),
                "categories": ["streaming"],
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema(resource)},
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [
                        {"name": name, "type": kind, "jsonPath": path} for name, kind, path in resource.columns
                    ],
                }
            ],
        },
    }


def schema(resource: Resource) -> Node:
    """The structural schema of the whole object."""
    spec, status = structural(resource.spec), structural(resource.status)
    spec["description"] = "What is wanted."
    status["description"] = "What is, written by the operator."
    for path, node in (("spec", spec), ("status", status)):
        node.pop("default", None)
        _complete(node, path, resource)
    name = structural(Metadata)["properties"]["name"]
    return {
        "description": resource.description,
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": f"{GROUP}/{VERSION}."},
            "kind": {"type": "string", "description": f"{resource.kind}."},
            "metadata": {"type": "object", "properties": {"name": name}},
            "spec": spec,
            "status": status,
        },
    }


def _complete(node: dict[str, Any], path: str, resource: Resource) -> None:
    """Adds to the node, and to all in it, how lists merge and which rules hold."""
    for name, child in node.get("properties", {}).items():
        _complete(child, f"{path}.{name}", resource)
    if node.get("type") == "array":
        keys = resource.list_keys.get(path)
        node["x-kubernetes-list-type"] = "map" if keys else "set" if path in resource.sets else "atomic"
        if keys:
            node["x-kubernetes-list-map-keys"] = list(keys)
        _complete(node["items"], f"{path}[]", resource)
    if held := resource.rules.get(path):
        node["x-kubernetes-validations"] = [{"rule": rule.rule, "message": rule.message} for rule in held]
