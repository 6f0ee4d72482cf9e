"""What all of Headrace's own pods have in common: restricted security, probes, where they may run, what they mount."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from headrace.core.wire.platform import Resources
from headrace.kubernetes.render.access import Mount, volume_mounts, volumes
from headrace.kubernetes.render.documents import MountedDocument
from headrace.kubernetes.render.target import Part

DATA_FOLDER = "/var/lib/headrace"
_USER = 10_001  # the images' own; a number, so that the kubelet can see that it is not root


@dataclass(frozen=True, slots=True)
class Workload:
    """What differs between the pods: `port` serves HTTP with /healthz, /readyz and /metrics under the name `port_name`.

    `drain_seconds`: for how long a pod that is told to stop still works. `claims`: its data is on a claimed volume.
    """

    document: MountedDocument
    command: tuple[str, ...]
    port: int
    port_name: str
    resources: Resources
    mounts: tuple[Mount, ...]
    drain_seconds: int
    behind_service: bool = False
    data: bool = False
    claims: bool = False


def service_account(part: Part) -> dict[str, Any]:
    """An identity without rights: no part talks to the API server."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": part.metadata(),
        "automountServiceAccountToken": False,
    }


def pod_template(part: Part, work: Workload) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "serviceAccountName": part.object_name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": work.drain_seconds,
        "securityContext": pod_security(_USER),
        "containers": [_container(part, work)],
        "volumes": [
            work.document.volume,
            *volumes(work.mounts),
            {"name": "tmp", "emptyDir": {}},
            *([{"name": "data", "emptyDir": {}}] if work.data and not work.claims else []),
        ],
        "topologySpreadConstraints": [
            _spread("topology.kubernetes.io/zone", part),
            _spread("kubernetes.io/hostname", part),
        ],
        **pull_secrets(part),
    }
    secrets = [mount.secret for mount in work.mounts]
    return {"metadata": part.pod_metadata(work.document.digest, secrets), "spec": spec}


def pod_security(user: int) -> dict[str, Any]:
    """What the Pod Security Standard `restricted` asks of a pod; the group may read the mounted Secrets."""
    return {
        "runAsNonRoot": True,
        "runAsUser": user,
        "runAsGroup": user,
        "fsGroup": user,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security(*, read_only: bool) -> dict[str, Any]:
    """And of a container."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        **({"readOnlyRootFilesystem": True} if read_only else {}),
    }


def pull_secrets(part: Part) -> dict[str, Any]:
    secret = part.target.platform.images.pull_secret
    return {"imagePullSecrets": [{"name": secret.name}]} if secret else {}


def _container(part: Part, work: Workload) -> dict[str, Any]:
    return {
        "name": part.role,
        "image": part.target.platform.images.headrace,
        "command": list(work.command),
        "ports": [{"name": work.port_name, "containerPort": work.port}],
        "env": [{"name": "TMPDIR", "value": "/tmp"}],  # noqa: S108 - the one folder that can be written
        "resources": {
            # No limit on processors: it would throttle a burst that nobody else needs the time for.
            "requests": {"cpu": work.resources.cpu, "memory": work.resources.memory},
            "limits": {"memory": work.resources.memory},
        },
        "startupProbe": _probe("/healthz", work, period=2, failures=60),
        "livenessProbe": _probe("/healthz", work, period=10, failures=6),
        "readinessProbe": _probe("/readyz", work, period=5, failures=2),
        # Endpoints go away while the pod ends; requests that were on their way still find it.
        **({"lifecycle": {"preStop": {"sleep": {"seconds": 5}}}} if work.behind_service else {}),
        "securityContext": container_security(read_only=True),
        "volumeMounts": _volume_mounts(work),
    }


def _volume_mounts(work: Workload) -> Sequence[dict[str, Any]]:
    return [
        work.document.mount,
        *volume_mounts(work.mounts),
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108
        *([{"name": "data", "mountPath": DATA_FOLDER}] if work.data else []),
    ]


def _probe(path: str, work: Workload, *, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": work.port_name},
        "periodSeconds": period,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }


def _spread(topology: str, part: Part) -> dict[str, Any]:
    """As even as can be, and never a reason not to run."""
    return {
        "maxSkew": 1,
        "topologyKey": topology,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": part.selector},
    }
