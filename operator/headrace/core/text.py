"""The plan and its steps as text a person reads: what `headrace plan` prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from headrace.core.diff import Action, Step
from headrace.core.durations import format_duration
from headrace.core.pipeline import Job, Objectives
from headrace.core.plan import FlinkJob, Gateway, KafkaTopic, Loader, Plan, Resource, Subject

_SIGN = {Action.CREATE: "+", Action.CHANGE: "~", Action.RETAIN: "=", Action.DELETE: "-"}


def render_plan(plan: Plan) -> str:
    """Everything that must exist, one resource a line, its detail below it."""
    lines = [f"pipeline {plan.pipeline.name} on platform {plan.pipeline.platform}"]
    for resource in plan:
        lines.append(f"  {resource.id}")
        lines += [f"      {line}" for line in _detail(resource, plan)]
    if plan.pipeline.objectives:
        lines.append(f"  objectives: {_objectives(plan.pipeline.objectives)}")
    return "\n".join(lines) + "\n"


def render_steps(steps: Sequence[Step]) -> str:
    """What would be done, in order, and a summary; what is irreversible or blocked says so."""
    if not steps:
        return "Nothing to do: what runs is what the manifest says.\n"
    lines: list[str] = []
    for step in steps:
        lines.append(f"{_SIGN[step.action]} {step.id:<44} {step.action}")
        lines += [f"      {change.what}: {change.before} → {change.after}" for change in step.changes]
        lines += [f"      irreversible: {step.irreversible}"] if step.irreversible else []
        lines += [f"      BLOCKED: {step.blocked}"] if step.blocked else []
    counts = [f"{n} to {a}" for a in Action if (n := sum(step.action is a for step in steps))]
    blocked = sum(bool(step.blocked) for step in steps)
    lines.append("Steps: " + ", ".join(counts) + (f"; {blocked} blocked" if blocked else ""))
    return "\n".join(lines) + "\n"


def _detail(resource: Resource, plan: Plan) -> Iterator[str]:
    match resource:
        case KafkaTopic():
            config = dict(resource.config)
            kept = format_duration(int(config["retention.ms"]))
            yield f"{resource.partitions} partitions, {config['cleanup.policy']}, kept {kept}"
            yield f"when it leaves the pipeline: {resource.deletion_policy}"
        case Subject():
            yield f"{resource.format}, {resource.compatibility}"
        case FlinkJob():
            job = next(job for job in plan.pipeline.jobs if resource.name.endswith(f".{job.name}"))
            yield from _job(job, resource)
        case Loader():
            table = resource.document.table
            yield f"{resource.document.topic.kafka_topic} → {table.database}.{table.schema_}.{table.name}"
            yield "columns: " + ", ".join(
                column.name + (f" ({column.transform.kind})" if column.transform else "")
                for column in resource.document.columns
            )
        case Gateway():
            for topic in resource.document.topics:
                if topic.ingest:
                    scopes = " ".join(topic.ingest.scopes)
                    yield f"POST /v1/topics/{topic.name}/events   {scopes}   invalid: {topic.ingest.on_invalid}"
            for topic in resource.document.topics:
                yield f"GET  /v1/topics/{topic.name}/events   {' '.join(topic.read_scopes)}"
            for view in resource.document.views:
                yield f"GET  /v1/views/{view.name}   {' '.join(view.scopes)}"


def _job(job: Job, resource: FlinkJob) -> Iterator[str]:
    yield f"{', '.join(resource.reads)} → {resource.writes[0]}, {job.guarantee}"
    for name, late in job.lateness:
        match late.rule:
            case "none":
                yield f"late: no event of {name} is late (no operation goes by event time)"
            case "row":
                yield f"late: an event of {name} behind the watermark; {job.late}"
            case "window":
                size = format_duration(late.size_ms)
                yield f"late: an event of {name} whose last {late.kind} window ({size}) has closed; {job.late}"


def _objectives(objectives: Objectives) -> str:
    return (
        f"{objectives.delivery_ratio * 100:g}% delivered, p95 within {format_duration(objectives.latency_p95_ms)}, "
        f"lag within {format_duration(objectives.max_lag_ms)}, over {format_duration(objectives.window_ms)}"
    )
