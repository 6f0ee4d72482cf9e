"""The gateway: a Deployment that follows its load, a Service in front, and a bound on how many pods may go at once."""

from __future__ import annotations

from headrace.core.plan import Plan
from headrace.kubernetes.render.access import kafka_mounts
from headrace.kubernetes.render.documents import gateway_document, mounted
from headrace.kubernetes.render.pods import DATA_FOLDER, Workload, pod_template, service_account
from headrace.kubernetes.render.target import Part
from headrace.kubernetes.render.users import gateway_acls, render_user
from headrace.kubernetes.text import Manifest

PORT, PORT_NAME = 8080, "http"
# Five seconds until no request comes any more, twenty for those in flight (the gateway's drain), and some to spare.
DRAIN_SECONDS = 40


def render_gateway(plan: Plan, part: Part) -> list[Manifest]:
    document = gateway_document(plan)
    run_by = mounted(part, document)
    # Values to look up are kept in a store, filled from their topic at every start.
    looks_up = any(enrich.lookup for topic in document.topics if topic.ingest for enrich in topic.ingest.enrich)
    work = Workload(
        document=run_by,
        command=gateway_command(run_by.path, data=looks_up),
        port=PORT,
        port_name=PORT_NAME,
        resources=part.target.platform.gateway.resources,
        mounts=kafka_mounts(part),
        drain_seconds=DRAIN_SECONDS,
        behind_service=True,
        data=looks_up,
    )
    user = [render_user(part, gateway_acls(document))] if part.target.secure else []
    return [
        service_account(part),
        *user,
        run_by.render(),
        _deployment(part, work),
        service(part),
        _autoscaler(part),
        disruption_budget(part),
    ]


def gateway_command(document: str, *, data: bool) -> tuple[str, ...]:
    command = ("python", "-m", "headrace_apps.gateway", "--document", document, "--log-format", "json")
    # All addresses of the pod: what may reach them is the NetworkPolicy's to say.
    return (*command, "--host", "0.0.0.0", "--port", str(PORT), *(("--data", DATA_FOLDER) if data else ()))  # noqa: S104


def _deployment(part: Part, work: Workload) -> Manifest:
    """Without replicas: the autoscaler sets them, and whoever else did would fight it."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": part.metadata(),
        "spec": {
            "selector": {"matchLabels": part.selector},
            # A new pod serves before an old one goes.
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": pod_template(part, work),
        },
    }


def service(part: Part, suffix: str = "", *, headless: bool = False) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": part.metadata(suffix),
        "spec": {
            **({"clusterIP": "None"} if headless else {"type": "ClusterIP"}),
            "selector": part.selector,
            "ports": [{"name": PORT_NAME, "port": 80, "targetPort": PORT_NAME}],
        },
    }


def _autoscaler(part: Part) -> Manifest:
    gateway = part.target.platform.gateway
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": part.metadata(),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": part.object_name},
            "minReplicas": gateway.min_replicas,
            "maxReplicas": gateway.max_replicas,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {
                        "name": "cpu",
                        "target": {"type": "Utilization", "averageUtilization": gateway.target_cpu},
                    },
                }
            ],
        },
    }


def disruption_budget(part: Part) -> Manifest:
    """One at a time; with a single pod a node can still be drained."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": part.metadata(),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": part.selector}},
    }
