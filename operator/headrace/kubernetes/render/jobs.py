"""Jobs: a FlinkDeployment each, in application mode, that runs the job document from its ConfigMap."""

from __future__ import annotations

from typing import Any

from headrace.core.pipeline import Job
from headrace.core.plan import FlinkJob
from headrace.core.wire.platform import FlinkResources
from headrace.kubernetes.render.access import Mount, kafka_mounts, volume_mounts, volumes
from headrace.kubernetes.render.documents import MountedDocument, mounted
from headrace.kubernetes.render.pods import container_security, pod_security, pull_secrets
from headrace.kubernetes.render.target import Part
from headrace.kubernetes.render.users import job_acls, render_user
from headrace.kubernetes.text import Manifest

FLINK_VERSION = "v2_2"
METRICS_PORT, METRICS_PORT_NAME = 9249, "metrics"
# Of the Flink image (docs/reference/kubernetes.md): a link to the base image's own jar, whatever its patch version.
PYTHON_JAR = "local:///opt/headrace/flink-python.jar"
_FLINK_USER = 9999  # the base image's


def render_job(declared: Job, job: FlinkJob, part: Part) -> list[Manifest]:
    run_by = mounted(part, job.document)
    acls = job_acls(job, exactly_once=declared.guarantee == "ExactlyOnce")
    user = [render_user(part, acls)] if part.target.secure else []
    return [*user, run_by.render(), _deployment(job, part, run_by)]


def _deployment(job: FlinkJob, part: Part, run_by: MountedDocument) -> Manifest:
    flink = part.target.platform.flink
    return {
        "apiVersion": "flink.apache.org/v1beta1",
        "kind": "FlinkDeployment",
        "metadata": part.metadata(),
        "spec": {
            "image": part.target.platform.images.flink,
            "flinkVersion": FLINK_VERSION,
            "mode": "native",
            "serviceAccount": flink.service_account,
            "flinkConfiguration": _configuration(job, part),
            "podTemplate": _pod_template(part, run_by),
            "jobManager": {"replicas": 1, "resource": _resources(flink.job_manager)},
            "taskManager": {"resource": _resources(flink.task_manager)},
            "job": {
                "jarURI": PYTHON_JAR,
                "entryClass": "org.apache.flink.client.python.PythonDriver",
                "args": ["-pyclientexec", "python3", "-pym", "headrace_flink", "run", run_by.path],
                "parallelism": job.document.parallelism,
                "state": "running",
                # Whatever changes, the job stops with a savepoint and goes on from it.
                "upgradeMode": "savepoint",
                "allowNonRestoredState": False,
            },
        },
    }


def _configuration(job: FlinkJob, part: Part) -> dict[str, str]:
    """The document's own settings, for what is decided before the document is read; and what is the cluster's."""
    flink = part.target.platform.flink
    cluster = {
        "taskmanager.numberOfTaskSlots": "1",
        # A job manager that dies comes back with the newest checkpoint; an upgrade can fall back on it.
        "high-availability.type": "kubernetes",
        "high-availability.storageDir": f"{flink.checkpoint_storage}/{part.target.namespace}/ha",
        "metrics.reporters": "prom",
        "metrics.reporter.prom.factory.class": "org.apache.flink.metrics.prometheus.PrometheusReporterFactory",
        "metrics.reporter.prom.port": str(METRICS_PORT),
    }
    return dict(sorted({**job.document.config, **cluster}.items()))


def _pod_template(part: Part, run_by: MountedDocument) -> dict[str, Any]:
    mounts = kafka_mounts(part)
    credentials = part.target.platform.flink.credentials
    container: dict[str, Any] = {
        "name": "flink-main-container",  # the name by which Flink knows its own
        "ports": [{"name": METRICS_PORT_NAME, "containerPort": METRICS_PORT}],
        # Flink's entry point writes its configuration into the image's folder.
        "securityContext": container_security(read_only=False),
        "volumeMounts": [run_by.mount, *volume_mounts(mounts)],
    }
    if credentials:
        container["envFrom"] = [{"secretRef": {"name": credentials.name}}]
    return {
        "metadata": part.pod_metadata(run_by.digest, _secrets(mounts, part)),
        "spec": {
            "securityContext": pod_security(_FLINK_USER),
            "enableServiceLinks": False,
            "containers": [container],
            "volumes": [run_by.volume, *volumes(mounts)],
            **pull_secrets(part),
        },
    }


def _secrets(mounts: tuple[Mount, ...], part: Part) -> list[str]:
    credentials = part.target.platform.flink.credentials
    return [*(mount.secret for mount in mounts), *([credentials.name] if credentials else [])]


def _resources(wanted: FlinkResources) -> dict[str, Any]:
    return {"cpu": wanted.cpu, "memory": wanted.memory}
