"""Whether an object is one that an API server takes, field by field, without an API server.

Kubernetes' own kinds are checked by the models of its Python client. The neighbours' are checked by their real CRDs, in
the folder that HEADRACE_CRDS names; without it, against the fields that this project relies on (below), which the real
CRDs are held to wherever they are at hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client

from .admission import admit

NATIVE = {
    "v1/ConfigMap": "V1ConfigMap",
    "v1/Service": "V1Service",
    "v1/ServiceAccount": "V1ServiceAccount",
    "apps/v1/Deployment": "V1Deployment",
    "apps/v1/StatefulSet": "V1StatefulSet",
    "autoscaling/v2/HorizontalPodAutoscaler": "V2HorizontalPodAutoscaler",
    "networking.k8s.io/v1/NetworkPolicy": "V1NetworkPolicy",
    "policy/v1/PodDisruptionBudget": "V1PodDisruptionBudget",
}
# Everything rendered of the neighbours' kinds, below `spec`; `*` is free text for the API server.
RELIED_ON = {
    "kafka.strimzi.io/v1/KafkaTopic": {"topicName", "partitions", "replicas", "config.*"},
    "kafka.strimzi.io/v1/KafkaUser": {
        "authentication.type", "authorization.type", "authorization.acls[].operations[]",
        "authorization.acls[].resource.type", "authorization.acls[].resource.name",
        "authorization.acls[].resource.patternType",
    },
    "flink.apache.org/v1beta1/FlinkDeployment": {
        "image", "flinkVersion", "mode", "serviceAccount", "flinkConfiguration.*", "podTemplate.*",
        "jobManager.replicas", "jobManager.resource.cpu", "jobManager.resource.memory",
        "taskManager.resource.cpu", "taskManager.resource.memory",
        "job.jarURI", "job.entryClass", "job.args[]", "job.parallelism", "job.state", "job.upgradeMode",
        "job.allowNonRestoredState",
    },
    "keda.sh/v1alpha1/ScaledObject": {
        "scaleTargetRef.name", "minReplicaCount", "maxReplicaCount", "pollingInterval", "triggers[].type",
        "triggers[].metadata.*", "triggers[].authenticationRef.name",
    },
    "keda.sh/v1alpha1/TriggerAuthentication": {
        "secretTargetRef[].parameter", "secretTargetRef[].name", "secretTargetRef[].key",
    },
    "monitoring.coreos.com/v1/PodMonitor": {
        "selector.matchLabels.*", "podTargetLabels[]", "podMetricsEndpoints[].port", "podMetricsEndpoints[].path",
    },
}  # fmt: skip


def faults(manifest: Mapping[str, Any], folder: Path | None) -> list[str]:
    """Why an API server would refuse the object, with strict field validation."""
    kind = f"{manifest['apiVersion']}/{manifest['kind']}"
    if kind in NATIVE:
        return list(_by_model(NATIVE[kind], manifest, kind))
    found = [f"{kind} {path}: is not relied on" for path in leaves(manifest["spec"]) if not relied_on(kind, path)]
    found += list(_by_model("V1ObjectMeta", manifest["metadata"], "metadata"))
    if "podTemplate" in manifest["spec"]:
        found += list(_by_model("V1PodTemplateSpec", manifest["spec"]["podTemplate"], "podTemplate"))
    # Every object has these, whether its CRD says so (as Strimzi's) or not (as Flink's).
    body = {name: value for name, value in manifest.items() if name not in ("apiVersion", "kind", "metadata")}
    return found + (admit(neighbours(folder)[kind], body)[1] if folder else [])


def relied_on(kind: str, path: str) -> bool:
    return any(re.fullmatch(re.escape(known).replace(r"\*", ".+"), path) for known in RELIED_ON[kind])


def leaves(value: Any, path: str = "") -> Iterator[str]:
    """`job.args[]`, for every scalar and every empty list or mapping."""
    match value:
        case dict() if value:
            for name, inner in value.items():
                yield from leaves(inner, f"{path}.{name}" if path else name)
        case list() if value:
            for inner in value:
                yield from leaves(inner, f"{path}[]")
        case _:
            yield path


@cache
def neighbours(folder: Path) -> dict[str, dict[str, Any]]:
    """The schema of every served version in the folder's CRDs."""
    found = {}
    for file in sorted(folder.glob("*.yaml")):
        for crd in yaml.load_all(file.read_bytes(), yaml.CSafeLoader):
            for version in crd["spec"]["versions"]:
                kind = f"{crd['spec']['group']}/{version['name']}/{crd['spec']['names']['kind']}"
                found[kind] = version["schema"]["openAPIV3Schema"]
    return found


def _by_model(model: str, value: Any, path: str) -> Iterator[str]:
    """By a model of the client: unknown fields, wrong types, missing fields."""
    listed = re.fullmatch(r"[Ll]ist\[(.+)\]", model)
    mapped = re.fullmatch(r"[Dd]ict[\[(]str, (.+)[\])]", model)
    scalars: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "bool": (bool,), "float": (int, float)}
    if listed and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _by_model(listed[1], item, f"{path}[{index}]")
    elif mapped and isinstance(value, dict):
        for key, item in value.items():
            yield from _by_model(mapped[1], item, f"{path}[{key}]")
    elif listed or mapped:
        yield f"{path}: is no {model}"
    elif model in scalars:
        if not isinstance(value, scalars[model]) or (model != "bool" and isinstance(value, bool)):
            yield f"{path}: {value!r} is no {model}"
    elif model != "object":
        yield from _by_class(getattr(client, model), value, path)


def _by_class(model: Any, value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: is no mapping"
        return
    names = {wire: own for own, wire in model.attribute_map.items()}
    for name, inner in value.items():
        if name in names:
            yield from _by_model(model.openapi_types[names[name]], inner, f"{path}.{name}")
        else:
            yield f"{path}.{name}: is not a field here"
    try:
        model(**{names[name]: inner for name, inner in value.items() if name in names})
    except ValueError as missing:
        yield f"{path}: {missing}"
