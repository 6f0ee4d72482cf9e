"""`plan(pipeline, platform) -> Plan`: what must exist, as a frozen, readable value.

The heart of Headrace. Both backends, `headrace plan`, and later cost, dashboards, ACLs and network policies are views
of it. Pure and total: a valid pipeline always has a plan; a failure here is a missing validation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from headrace.core import documents
from headrace.core.pipeline import Ingest, Job, Pipeline, Sink, Topic
from headrace.core.platform import Platform
from headrace.core.schema import canonical, identity
from headrace.core.sql.render import JobNames, render_sql


@dataclass(frozen=True, slots=True)
class KafkaTopic:
    """A topic that Headrace owns. `config` is sorted by key."""

    name: str
    partitions: int
    config: tuple[tuple[str, str], ...]
    deletion_policy: Literal["Retain", "Delete"]

    @property
    def id(self) -> str:
        return f"topic/{self.name}"


@dataclass(frozen=True, slots=True)
class Subject:
    """A registry subject. `definition` is the schema's canonical text."""

    name: str
    format: Literal["JSON", "Avro", "Protobuf"]
    compatibility: str
    definition: str

    @property
    def id(self) -> str:
        return f"subject/{self.name}"


@dataclass(frozen=True, slots=True)
class FlinkJob:
    name: str
    document: documents.JobDocument
    reads: tuple[str, ...]
    writes: tuple[str, ...]

    @property
    def id(self) -> str:
        return f"job/{self.name}"


@dataclass(frozen=True, slots=True)
class Gateway:
    name: str
    document: documents.GatewayDocument

    @property
    def id(self) -> str:
        return f"gateway/{self.name}"


@dataclass(frozen=True, slots=True)
class Loader:
    name: str
    document: documents.LoaderDocument

    @property
    def id(self) -> str:
        return f"loader/{self.name}"


Resource = KafkaTopic | Subject | FlinkJob | Gateway | Loader


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything one pipeline needs, in the order of its rollout. `reads` and `writes` name Kafka topics."""

    pipeline: Pipeline
    subjects: tuple[Subject, ...]
    topics: tuple[KafkaTopic, ...]
    jobs: tuple[FlinkJob, ...]
    loaders: tuple[Loader, ...]
    gateway: Gateway

    def __iter__(self) -> Iterator[Resource]:
        """Rollout order: schema gate, topics, jobs, sinks, gateway."""
        yield from self.subjects
        yield from self.topics
        yield from self.jobs
        yield from self.loaders
        yield self.gateway


def plan(pipeline: Pipeline, platform: Platform) -> Plan:
    """What must exist for this pipeline on this platform."""
    names = Names(pipeline, platform)
    owned = [topic for topic in pipeline.topics if topic.external is None]
    return Plan(
        pipeline=pipeline,
        subjects=tuple(_subject(topic, names) for topic in owned),
        topics=(*(_topic(topic, names, platform) for topic in owned), _dead_letters(names, platform)),
        jobs=tuple(_job(job, pipeline, platform, names) for job in pipeline.jobs),
        loaders=tuple(_loader(sink, pipeline, platform, names) for sink in pipeline.sinks),
        gateway=_gateway(pipeline, platform, names),
    )


@dataclass(frozen=True, slots=True)
class Names:
    """Every name that a pipeline owns outside itself (docs/reference/contracts.md, "Names")."""

    pipeline: Pipeline
    platform: Platform

    @property
    def prefix(self) -> str:
        return f"{self.platform.topic_prefix}{self.pipeline.name}."

    @property
    def dead_letters(self) -> str:
        return self.prefix + "dead-letters"

    def kafka(self, topic: Topic) -> str:
        return topic.external or self.prefix + topic.name

    def subject(self, topic: Topic) -> str:
        return self.kafka(topic) + "-value"

    def group(self, part: str) -> str:
        return self.prefix + part


def _subject(topic: Topic, names: Names) -> Subject:
    schema = topic.schema
    return Subject(names.subject(topic), schema.format, schema.compatibility, canonical(schema.definition))


def _topic(topic: Topic, names: Names, platform: Platform) -> KafkaTopic:
    config = {
        "cleanup.policy": ",".join(topic.cleanup),
        "retention.ms": str(topic.retention_ms),
        "min.insync.replicas": str(max(1, platform.replication_factor - 1)),
    }
    if topic.compacted:
        # A view restores from the topic's beginning, so what is superseded must not wait for a 1 GiB segment.
        config |= {"segment.ms": "3600000", "min.cleanable.dirty.ratio": "0.1"}
    return KafkaTopic(names.kafka(topic), topic.partitions, tuple(sorted(config.items())), topic.deletion_policy)


def _dead_letters(names: Names, platform: Platform) -> KafkaTopic:
    """Kept for 30 days: longer than any default retention, so that a dead letter outlives its neighbours."""
    config = {
        "cleanup.policy": "delete",
        "retention.ms": str(30 * 86_400_000),
        "min.insync.replicas": str(max(1, platform.replication_factor - 1)),
    }
    return KafkaTopic(names.dead_letters, 3, tuple(sorted(config.items())), "Retain")


def _job(job: Job, pipeline: Pipeline, platform: Platform, names: Names) -> FlinkJob:
    reads = tuple(names.kafka(pipeline.topic(name)) for name in job.inputs)
    writes = (names.kafka(pipeline.topic(job.output)), names.dead_letters)
    kafka_names = {topic.name: names.kafka(topic) for topic in pipeline.topics}
    subjects = {topic.name: names.subject(topic) for topic in pipeline.topics}
    job_names = JobNames(names.group(job.name), names.dead_letters, kafka_names, subjects)
    return FlinkJob(job_names.name, render_sql(job, pipeline, platform, job_names), reads, writes)


def _schema_ref(topic: Topic, names: Names) -> documents.SchemaRef:
    subject = names.subject(topic)
    schema = topic.schema
    return documents.SchemaRef(
        format=schema.format,
        subject=subject,
        identity=identity(subject, schema.definition),
        definition=schema.definition,
        message=schema.message,
    )


def _gateway(pipeline: Pipeline, platform: Platform, names: Names) -> Gateway:
    ingest = {entry.topic: entry for entry in pipeline.ingest}
    topics = []
    for topic in pipeline.topics:
        entry = ingest.get(topic.name)
        topics.append(
            documents.GatewayTopic(
                name=topic.name,
                kafka_topic=names.kafka(topic),
                partitions=topic.partitions,
                compacted=topic.compacted,
                key_fields=topic.key_fields,
                schema_=_schema_ref(topic, names),
                columns=topic.schema.columns,
                id_field=topic.id.field if topic.id else None,
                event_time_field=topic.event_time.field if topic.event_time else None,
                ingest=_ingest(entry) if entry else None,
                read_scopes=(read_scope(pipeline, topic.name),),
            )
        )
    views = tuple(
        documents.GatewayView(name=view.name, topic=view.topic, scopes=(read_scope(pipeline, view.topic),))
        for view in pipeline.views
    )
    document = documents.GatewayDocument(
        pipeline=pipeline.name,
        kafka=dict(platform.kafka),
        registry=documents.Registry(url=platform.registry_url),
        auth=platform.auth,
        dead_letter_topic=names.dead_letters,
        topics=tuple(topics),
        views=views,
    )
    return Gateway(pipeline.name, document)


def _ingest(entry: Ingest) -> documents.GatewayIngest:
    return documents.GatewayIngest(scopes=entry.scopes, on_invalid=entry.on_invalid, enrich=entry.enrich)


def read_scope(pipeline: Pipeline, topic: str) -> str:
    return f"{pipeline.name}.{topic}:read"


def _loader(sink: Sink, pipeline: Pipeline, platform: Platform, names: Names) -> Loader:
    topic = pipeline.topic(sink.topic)
    document = documents.LoaderDocument(
        pipeline=pipeline.name,
        sink=sink.name,
        kafka=dict(platform.kafka),
        registry=documents.Registry(url=platform.registry_url),
        group_id=names.group(sink.name),
        dead_letter_topic=names.dead_letters,
        topic=documents.LoaderTopic(
            name=topic.name,
            kafka_topic=names.kafka(topic),
            compacted=topic.compacted,
            key_fields=topic.key_fields,
            schema_=_schema_ref(topic, names),
        ),
        table=documents.Table(database=sink.database or platform.database, schema_=sink.schema, name=sink.table),
        columns=sink.columns,
        fields=topic.schema.columns,
        id=documents.Identity(field=topic.id.field, window_ms=topic.id.window_ms) if topic.id else None,
        event_time_field=topic.event_time.field if topic.event_time else None,
        batch=sink.batch,
        attempts=sink.attempts,
        snowflake=platform.snowflake,
    )
    return Loader(names.group(sink.name), document)
