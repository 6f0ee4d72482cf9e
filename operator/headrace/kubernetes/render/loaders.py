"""Loaders: a Deployment per sink, whose pods follow the lag by KEDA or are as many as the platform says."""

from __future__ import annotations

from typing import Any

from headrace.core.plan import Loader
from headrace.kubernetes.render.access import (
    CA_KEY,
    CERTIFICATE_KEY,
    PRIVATE_KEY_KEY,
    bootstrap_servers,
    ca_secret,
    kafka_mounts,
    snowflake_mounts,
)
from headrace.kubernetes.render.documents import mounted
from headrace.kubernetes.render.pods import Workload, pod_template, service_account
from headrace.kubernetes.render.target import Part
from headrace.kubernetes.render.users import loader_acls, render_user
from headrace.kubernetes.text import Manifest

PORT, PORT_NAME = 8081, "metrics"
# A batch in hand is loaded or given up within a minute of being told to stop.
_DRAIN_SECONDS = 90


def render_loader(loader: Loader, part: Part) -> list[Manifest]:
    run_by = mounted(part, loader.document)
    work = Workload(
        document=run_by,
        # No --member: a Deployment's pods have new names, and a member that left for good would keep its partitions
        # until its session times out.
        command=(
            "python", "-m", "headrace_apps.loader", "--document", run_by.path,
            "--metrics-host", "0.0.0.0", "--metrics-port", str(PORT),  # noqa: S104
        ),
        port=PORT,
        port_name=PORT_NAME,
        resources=part.target.platform.loader.resources,
        mounts=(*kafka_mounts(part), *snowflake_mounts(part)),
        drain_seconds=_DRAIN_SECONDS,
    )  # fmt: skip
    user = [render_user(part, loader_acls(loader))] if part.target.secure else []
    return [
        service_account(part),
        *user,
        run_by.render(),
        _deployment(part, work),
        *_scaling(loader, part),
    ]


def _deployment(part: Part, work: Workload) -> Manifest:
    loader = part.target.platform.loader
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": part.metadata(),
        "spec": {
            **({"replicas": loader.min_replicas} if loader.scaling == "Fixed" else {}),
            "selector": {"matchLabels": part.selector},
            # Old and new hold the group together, and the offsets in the table fence whoever comes late.
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": pod_template(part, work),
        },
    }


def _scaling(loader: Loader, part: Part) -> list[Manifest]:
    target = part.target
    if target.platform.loader.scaling == "Fixed":
        return []
    trigger: dict[str, Any] = {
        "type": "kafka",
        "metadata": {
            "bootstrapServers": bootstrap_servers(target.platform.kafka, target.namespace),
            "consumerGroup": loader.document.group_id,
            "topic": loader.document.topic.kafka_topic,
            "lagThreshold": str(target.platform.loader.lag_per_pod),
            "offsetResetPolicy": "earliest",
        },
    }
    authentication = []
    if target.secure:
        trigger["metadata"]["tls"] = "enable"
        trigger["authenticationRef"] = {"name": part.object_name}
        authentication = [_authentication(part)]
    return [*authentication, _scaled_object(part, trigger)]


def _scaled_object(part: Part, trigger: dict[str, Any]) -> Manifest:
    loader = part.target.platform.loader
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": part.metadata(),
        "spec": {
            "scaleTargetRef": {"name": part.object_name},
            "minReplicaCount": loader.min_replicas,
            "maxReplicaCount": loader.max_replicas,
            "pollingInterval": 30,
            "triggers": [trigger],
        },
    }


def _authentication(part: Part) -> Manifest:
    """KEDA asks for the lag as the loader itself, whose rights are enough for it."""
    ca = ca_secret(part.target.platform.kafka)
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "TriggerAuthentication",
        "metadata": part.metadata(),
        "spec": {
            "secretTargetRef": [
                {"parameter": "ca", "name": ca, "key": CA_KEY},
                {"parameter": "cert", "name": part.object_name, "key": CERTIFICATE_KEY},
                {"parameter": "key", "name": part.object_name, "key": PRIVATE_KEY_KEY},
            ]
        },
    }
