"""The documents that parts run by, as ConfigMaps that never change: another document is another ConfigMap.

A part that restarts while a new version rolls out must come back with the document it was started with. A Flink job
most of all: its job manager runs the document again after a failure, with the state of the old one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from headrace.core.documents import GatewayDocument, JobDocument, LoaderDocument
from headrace.core.plan import Plan
from headrace.kubernetes.render.target import Part
from headrace.kubernetes.text import Manifest

DOCUMENT_FOLDER = "/etc/headrace/document"
_VOLUME = "document"


@dataclass(frozen=True, slots=True)
class MountedDocument:
    """A part's document: the file's name, its text, and the digest that tells it from any other."""

    part: Part
    file: str
    text: str
    digest: str

    @property
    def config_map(self) -> str:
        return f"{self.part.object_name}-{self.digest[:10]}"

    @property
    def path(self) -> str:
        return f"{DOCUMENT_FOLDER}/{self.file}"

    @property
    def volume(self) -> dict[str, Any]:
        return {"name": _VOLUME, "configMap": {"name": self.config_map}}

    @property
    def mount(self) -> dict[str, Any]:
        return {"name": _VOLUME, "mountPath": DOCUMENT_FOLDER, "readOnly": True}

    def render(self) -> Manifest:
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": self.part.metadata(f"-{self.digest[:10]}"),
            "immutable": True,
            "data": {self.file: self.text},
        }


def mounted(part: Part, document: GatewayDocument | LoaderDocument | JobDocument) -> MountedDocument:
    return MountedDocument(part, f"{part.role}.json", document.to_json(), document.digest)


def gateway_document(plan: Plan) -> GatewayDocument:
    """Without the views: they have servers of their own, which keep their stores when gateways come and go."""
    return plan.gateway.document.model_copy(update={"views": ()})


def views_document(plan: Plan) -> GatewayDocument:
    """The views and their topics alone; nothing is taken in here."""
    document = plan.gateway.document
    shown = {view.topic for view in document.views}
    topics = tuple(topic.model_copy(update={"ingest": None}) for topic in document.topics if topic.name in shown)
    return document.model_copy(update={"topics": topics})
