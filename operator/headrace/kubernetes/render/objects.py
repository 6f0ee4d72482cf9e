"""`render(plan, target) -> objects`: the index. Each line is one concern and one module.

The order is the order in which they can be applied, one after another: what shields and what is read before who reads
it, in the plan's rollout order (topics and users, jobs, sinks, gateway, views).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from headrace.core.plan import Plan
from headrace.core.wire.platform import StreamPlatform
from headrace.kubernetes.render.gateway import render_gateway
from headrace.kubernetes.render.jobs import render_job
from headrace.kubernetes.render.loaders import render_loader
from headrace.kubernetes.render.monitoring import render_monitoring
from headrace.kubernetes.render.network import render_network
from headrace.kubernetes.render.target import Owner, Part, Target
from headrace.kubernetes.render.topics import render_topic
from headrace.kubernetes.render.views import render_views
from headrace.kubernetes.text import Manifest

Groups = dict[str, list[Manifest]]


def render(
    plan: Plan,
    platform: StreamPlatform,
    namespace: str,
    *,
    owner: Owner | None = None,
    secrets: Mapping[str, str] | None = None,
) -> tuple[Manifest, ...]:
    """Every object of the plan, in the order of its application.

    The plan is one made for `resolve_platform(platform, namespace)`, of a pipeline without `find_mismatches`; then this
    never fails. `secrets`: a revision per Secret, so that pods roll when one changes.
    """
    target = Target(plan.pipeline.name, namespace, platform.spec, owner, secrets or {})
    return tuple(manifest for group in grouped(plan, target).values() for manifest in group)


def grouped(plan: Plan, target: Target) -> Groups:
    """The objects by what they are for, as a reader looks for them."""
    job_parts = [Part(target, "job", job.name) for job in plan.pipeline.jobs]
    sink_parts = [Part(target, "sink", sink.name) for sink in plan.pipeline.sinks]
    gateway, views = Part(target, "gateway"), Part(target, "views")
    parts = [*job_parts, *sink_parts, gateway, *([views] if plan.pipeline.views else [])]
    groups = {
        "network": render_network(parts, target),
        "topics": [render_topic(topic, target) for topic in plan.topics],
    }
    for declared, job, part in zip(plan.pipeline.jobs, plan.jobs, job_parts, strict=True):
        groups[f"job-{part.name}"] = render_job(declared, job, part)
    for loader, part in zip(plan.loaders, sink_parts, strict=True):
        groups[f"sink-{part.name}"] = render_loader(loader, part)
    groups["gateway"] = render_gateway(plan, gateway)
    groups["views"] = render_views(plan, views)
    groups["monitoring"] = render_monitoring(target)
    return dict(_filled(groups))


def _filled(groups: Groups) -> Iterator[tuple[str, list[Manifest]]]:
    return ((name, manifests) for name, manifests in groups.items() if manifests)
