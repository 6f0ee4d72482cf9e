"""`Target`: for whom objects are rendered and where; what every object has in common follows from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from headrace.core.wire.common import API_VERSION, GROUP
from headrace.core.wire.platform import PlatformSpec
from headrace.kubernetes.render.names import object_name

PIPELINE_LABEL = f"{GROUP}/pipeline"
PART_LABEL = f"{GROUP}/part"
DOCUMENT_ANNOTATION = f"{GROUP}/document"
SECRETS_ANNOTATION = f"{GROUP}/secrets"

Labels = dict[str, str]


@dataclass(frozen=True, slots=True)
class Owner:
    """The StreamPipeline, as the API server knows it. Without one, objects belong to whoever applies them."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Target:
    """`secrets`: a revision (any text that changes with the content) per Secret, as far as they are known."""

    pipeline: str
    namespace: str
    platform: PlatformSpec
    owner: Owner | None = None
    secrets: Mapping[str, str] = field(default_factory=dict)

    @property
    def secure(self) -> bool:
        """Whether parts have users, certificates and rights of their own."""
        return self.platform.kafka.listener.authentication == "Tls"


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that runs, with a name, an identity and rights of its own. `name`: the job's or sink's, or empty."""

    target: Target
    role: str
    name: str = ""

    @property
    def object_name(self) -> str:
        return object_name(self.target.pipeline, self.role, self.name)

    @property
    def selector(self) -> Labels:
        """The labels by which its pods are known; they never change."""
        return {
            PIPELINE_LABEL: self.target.pipeline,
            "app.kubernetes.io/component": self.role,
            **({PART_LABEL: self.name} if self.name else {}),
        }

    @property
    def labels(self) -> Labels:
        return {**common_labels(self.target), **self.selector}

    def metadata(self, suffix: str = "", labels: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Of an object of this part."""
        return metadata(self.target, self.object_name + suffix, {**self.labels, **(labels or {})})

    def pod_metadata(self, digest: str, secrets: Iterable[str]) -> dict[str, Any]:
        """Of its pods: they roll when the document they run by or a Secret they hold is another one."""
        annotations = {DOCUMENT_ANNOTATION: digest[:16]}
        known = {name: self.target.secrets[name] for name in sorted(secrets) if name in self.target.secrets}
        if known:
            annotations[SECRETS_ANNOTATION] = hashlib.sha256(json.dumps(known).encode()).hexdigest()[:16]
        return {"labels": self.labels, "annotations": annotations}


def common_labels(target: Target) -> Labels:
    return {
        "app.kubernetes.io/name": "headrace",
        "app.kubernetes.io/instance": target.pipeline,
        "app.kubernetes.io/managed-by": "headrace",
        PIPELINE_LABEL: target.pipeline,
    }


def metadata(target: Target, name: str, labels: Mapping[str, str], *, owned: bool = True) -> dict[str, Any]:
    """`owned` False: the object outlives the pipeline, so nothing refers to an owner that could take it along."""
    made: dict[str, Any] = {"name": name, "namespace": target.namespace, "labels": dict(labels)}
    if owned and target.owner:
        made["ownerReferences"] = [
            {
                "apiVersion": API_VERSION,
                "kind": "StreamPipeline",
                "name": target.owner.name,
                "uid": target.owner.uid,
                "controller": True,
                "blockOwnerDeletion": False,  # true would need rights on the pipeline's finalizers
            }
        ]
    return made
