"""View servers: a StatefulSet whose every pod holds all views, on a volume that spares it to read the topic again."""

from __future__ import annotations

from typing import Any

from headrace.core.plan import Plan
from headrace.kubernetes.render.access import kafka_mounts
from headrace.kubernetes.render.documents import mounted, views_document
from headrace.kubernetes.render.gateway import (
    DRAIN_SECONDS,
    PORT,
    PORT_NAME,
    disruption_budget,
    gateway_command,
    service,
)
from headrace.kubernetes.render.pods import Workload, pod_template, service_account
from headrace.kubernetes.render.target import Part
from headrace.kubernetes.render.users import gateway_acls, render_user
from headrace.kubernetes.text import Manifest

_PODS = "-pods"


def render_views(plan: Plan, part: Part) -> list[Manifest]:
    """Nothing without views. They are the gateway's program with the views' part of its document."""
    if not plan.pipeline.views:
        return []
    document = views_document(plan)
    run_by = mounted(part, document)
    work = Workload(
        document=run_by,
        command=gateway_command(run_by.path, data=True),
        port=PORT,
        port_name=PORT_NAME,
        resources=part.target.platform.views.resources,
        mounts=kafka_mounts(part),
        drain_seconds=DRAIN_SECONDS,
        behind_service=True,
        data=True,
        claims=True,
    )
    user = [render_user(part, gateway_acls(document))] if part.target.secure else []
    return [
        service_account(part),
        *user,
        run_by.render(),
        service(part, _PODS, headless=True),
        _stateful_set(part, work),
        service(part),
        disruption_budget(part),
    ]


def _stateful_set(part: Part, work: Workload) -> Manifest:
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": part.metadata(),
        "spec": {
            "replicas": part.target.platform.views.replicas,
            "serviceName": part.object_name + _PODS,
            "podManagementPolicy": "Parallel",  # the pods do not know of each other
            "selector": {"matchLabels": part.selector},
            "template": pod_template(part, work),
            "volumeClaimTemplates": [_claim(part)],
            # What is on a volume can be read from the topic again, so nobody is left to clear up.
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete", "whenScaled": "Delete"},
        },
    }


def _claim(part: Part) -> dict[str, Any]:
    views = part.target.platform.views
    return {
        "metadata": {"name": "data", "labels": part.selector},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": views.storage}},
            **({"storageClassName": views.storage_class} if views.storage_class else {}),
        },
    }
