"""`diff(plan, observed) -> Steps`: what to create, change, retain or delete, and in which order. Pure.

The order is a partial one: each step names the steps it waits for. A backend may run steps that wait for nothing at
the same time (one machine does, so that the gateway serves as soon as the broker is up) or one by one, in list order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal

from headrace.core.plan import FlinkJob, Gateway, KafkaTopic, Loader, Plan, Resource, Subject


@dataclass(frozen=True, slots=True)
class ObservedTopic:
    """`owner`: the pipeline that made it, None when nobody recorded one. `config`: what is set on the topic itself."""

    partitions: int
    config: Mapping[str, str]
    owner: str | None
    deletion_policy: Literal["Retain", "Delete"] = "Retain"


@dataclass(frozen=True, slots=True)
class ObservedSubject:
    """The newest version in the registry; `definition` is canonical text."""

    definition: str
    compatibility: str | None
    owner: str | None


@dataclass(frozen=True, slots=True)
class ObservedRun:
    """A job, gateway or loader that runs: the digest of the document it was started with."""

    digest: str
    owner: str


@dataclass(frozen=True, slots=True)
class Observed:
    """What is there now, by resource id without its kind (`clickstream.clicks`)."""

    topics: Mapping[str, ObservedTopic] = field(default_factory=dict)
    subjects: Mapping[str, ObservedSubject] = field(default_factory=dict)
    jobs: Mapping[str, ObservedRun] = field(default_factory=dict)
    loaders: Mapping[str, ObservedRun] = field(default_factory=dict)
    gateways: Mapping[str, ObservedRun] = field(default_factory=dict)


class Action(StrEnum):
    CREATE = "create"
    CHANGE = "change"
    RETAIN = "retain"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Change:
    what: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do. `id` is the resource's (`topic/clickstream.clicks`); `resource` is None for what leaves.

    `blocked` says why it must not be done: the step and those after it do not run. `irreversible` says what is lost.
    """

    action: Action
    id: str
    resource: Resource | None = None
    changes: tuple[Change, ...] = ()
    irreversible: str = ""
    blocked: str = ""
    after: frozenset[str] = frozenset()


Steps = tuple[Step, ...]


def diff(plan: Plan, observed: Observed) -> Steps:
    """From what is there to what the plan wants; empty when nothing is to be done."""
    steps = [step for resource in plan if (step := _step(resource, plan.pipeline.name, observed))]
    steps += _leaving(plan.pipeline.name, {resource.id for resource in plan}, observed)
    return _ordered(steps, plan)


def teardown(pipeline: str, observed: Observed) -> Steps:
    """What leaves when the pipeline goes: what runs stops, topics and subjects stay unless they say Delete."""
    return tuple(_leaving(pipeline, set(), observed))


def _step(resource: Resource, owner: str, observed: Observed) -> Step | None:
    match resource:
        case KafkaTopic():
            return _topic_step(resource, owner, observed.topics.get(resource.name))
        case Subject():
            return _subject_step(resource, owner, observed.subjects.get(resource.name))
        case FlinkJob():
            return _run_step(resource, observed.jobs.get(resource.name))
        case Loader():
            return _run_step(resource, observed.loaders.get(resource.name))
        case Gateway():
            return _run_step(resource, observed.gateways.get(resource.name))


def _topic_step(topic: KafkaTopic, owner: str, seen: ObservedTopic | None) -> Step | None:
    if seen is None:
        return Step(Action.CREATE, topic.id, topic)
    if seen.owner != owner:
        whose = f"belongs to pipeline {seen.owner!r}" if seen.owner else "was not made by Headrace"
        return Step(Action.CHANGE, topic.id, topic, blocked=f"the topic {topic.name!r} exists and {whose}")
    changes = [
        Change(key, seen.config.get(key, "unset"), value)
        for key, value in topic.config
        if seen.config.get(key) != value
    ]
    blocked = irreversible = ""
    if seen.partitions != topic.partitions:
        changes.insert(0, Change("partitions", str(seen.partitions), str(topic.partitions)))
        if topic.partitions < seen.partitions:
            blocked = f"Kafka cannot take partitions away ({seen.partitions} → {topic.partitions})"
        else:
            irreversible = "keys move to other partitions, and partitions cannot be taken away again"
    if seen.deletion_policy != topic.deletion_policy:
        changes.append(Change("deletionPolicy", seen.deletion_policy, topic.deletion_policy))
    if not changes:
        return None
    return Step(Action.CHANGE, topic.id, topic, tuple(changes), irreversible, blocked)


def _subject_step(subject: Subject, owner: str, seen: ObservedSubject | None) -> Step | None:
    if seen is None:
        return Step(Action.CREATE, subject.id, subject)
    if seen.owner not in (owner, None):
        blocked = f"the subject {subject.name!r} belongs to pipeline {seen.owner!r}"
        return Step(Action.CHANGE, subject.id, subject, blocked=blocked)
    changes = []
    if seen.compatibility != subject.compatibility:
        changes.append(Change("compatibility", seen.compatibility or "the registry's", subject.compatibility))
    if seen.definition != subject.definition:
        changes.append(Change("definition", "the registered version", "a new version"))
    return Step(Action.CHANGE, subject.id, subject, tuple(changes)) if changes else None


def _run_step(resource: FlinkJob | Loader | Gateway, seen: ObservedRun | None) -> Step | None:
    if seen is None:
        return Step(Action.CREATE, resource.id, resource)
    wanted = resource.document.digest
    if seen.digest == wanted:
        return None
    how = "stopped with a savepoint, started from it" if isinstance(resource, FlinkJob) else "restarted"
    return Step(Action.CHANGE, resource.id, resource, (Change("document", seen.digest[:8], f"{wanted[:8]}, {how}"),))


def _leaving(owner: str, kept: set[str], observed: Observed) -> list[Step]:
    """What the pipeline owns and no longer wants: writers before readers before data."""
    steps: list[Step] = []
    runs = (("gateway", observed.gateways), ("job", observed.jobs), ("loader", observed.loaders))
    for kind, seen in runs:
        steps += [
            Step(Action.DELETE, f"{kind}/{name}")
            for name, run in sorted(seen.items())
            if run.owner == owner and f"{kind}/{name}" not in kept
        ]
    stopping = frozenset(step.id for step in steps)
    for name, topic in sorted(observed.topics.items()):
        if topic.owner == owner and f"topic/{name}" not in kept:
            if topic.deletion_policy == "Delete":
                lost = f"the topic {name!r} and its events"
                steps.append(Step(Action.DELETE, f"topic/{name}", irreversible=lost, after=stopping))
            else:
                steps.append(Step(Action.RETAIN, f"topic/{name}"))
    steps += [
        Step(Action.RETAIN, f"subject/{name}")
        for name, subject in sorted(observed.subjects.items())
        if subject.owner == owner and f"subject/{name}" not in kept
    ]
    return steps


def _ordered(steps: Iterable[Step], plan: Plan) -> Steps:
    """Each step waits for the steps it stands on, as far as they are in this diff.

    A *changed* subject is the schema gate: whatever reads or writes its topic waits for it. A new one gates nothing,
    because nothing was written by another schema before. BACKWARD: readers before the gateway; FORWARD: after it.
    """
    steps = list(steps)
    present = {step.id for step in steps}
    gates = {step.id for step in steps if step.id.startswith("subject/") and step.action is Action.CHANGE}
    readers = {step.id for step in steps if step.id.startswith(("job/", "loader/"))}
    forward = any(s.compatibility.startswith("FORWARD") for s in plan.subjects if s.id in gates)
    needs: dict[str, set[str]] = {}
    for resource in plan:
        match resource:
            case KafkaTopic():
                needs[resource.id] = {f"subject/{resource.name}-value"} & gates
            case FlinkJob():
                needs[resource.id] = _standing_on((*resource.reads, *resource.writes), gates)
            case Loader():
                needs[resource.id] = _standing_on(_loader_topics(resource), gates)
            case Gateway():
                needs[resource.id] = _standing_on([t.kafka_topic for t in resource.document.topics], gates)
                needs[resource.id].add(f"topic/{resource.document.dead_letter_topic}")
    if gates and forward:
        for reader in readers:
            needs.setdefault(reader, set()).add(plan.gateway.id)
    elif gates:
        needs[plan.gateway.id] |= readers
    # A topic goes when nothing uses it any more: not while a job stops with a savepoint, or a gateway takes events.
    leaving = {step.id for step in steps if step.action is Action.DELETE and step.id.startswith("topic/")}
    changing = {step.id for step in steps if step.action in (Action.CHANGE, Action.DELETE)}
    for topic in leaving:
        needs[topic] = {step for step in changing if step.startswith(("job/", "loader/", "gateway/"))}
    return tuple(replace(step, after=step.after | (frozenset(needs.get(step.id, ())) & present)) for step in steps)


def _standing_on(topics: Iterable[str], gates: set[str]) -> set[str]:
    names = list(topics)
    return {f"topic/{name}" for name in names} | ({f"subject/{name}-value" for name in names} & gates)


def _loader_topics(loader: Loader) -> tuple[str, ...]:
    return (loader.document.topic.kafka_topic, loader.document.dead_letter_topic)
