"""One PodMonitor for all of a pipeline's pods: gateway and views under the port `http`, the others under `metrics`."""

from __future__ import annotations

from headrace.kubernetes.render import gateway, jobs
from headrace.kubernetes.render.target import PART_LABEL, PIPELINE_LABEL, Target, common_labels, metadata
from headrace.kubernetes.text import Manifest


def render_monitoring(target: Target) -> list[Manifest]:
    if not target.platform.monitoring.pod_monitors:
        return []
    return [
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PodMonitor",
            "metadata": metadata(target, target.pipeline, common_labels(target)),
            "spec": {
                "selector": {"matchLabels": {PIPELINE_LABEL: target.pipeline}},
                "podTargetLabels": [PIPELINE_LABEL, PART_LABEL, "app.kubernetes.io/component"],
                "podMetricsEndpoints": [
                    {"port": port, "path": "/metrics"} for port in (gateway.PORT_NAME, jobs.METRICS_PORT_NAME)
                ],
            },
        }
    ]
