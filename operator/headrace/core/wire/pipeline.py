"""`StreamPipeline`: what a user writes. Every field has a description; defaults are the value most pipelines want."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from headrace.core.wire.common import DnsName, Duration, FieldName, Metadata, PlatformRef, TopicName, Wire

Scope = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=r"^[\x21\x23-\x5B\x5D-\x7E]+$")]
KafkaName = Annotated[str, StringConstraints(min_length=1, max_length=249, pattern=r"^[a-zA-Z0-9._-]+$")]


class External(Wire):
    kafka_name: KafkaName = Field(description="The topic's own name in Kafka: read, never changed, never deleted.")


class EventId(Wire):
    field: FieldName = Field(description="The field that makes two events the same event.", examples=["event_id"])
    window: Duration = Field("1h", description="For how long, in event time, a repeat is recognised.")


class EventTime(Wire):
    field: FieldName = Field(description="An RFC 3339 string, or an integer of epoch milliseconds.")
    out_of_orderness: Duration = Field("5s", description="How far behind the newest event one may arrive.")
    idle_timeout: Duration = Field(
        "30s", description="After how long a partition without events no longer holds the windows back."
    )


class Schema(Wire):
    format: Literal["JSON", "Avro", "Protobuf"] = Field("JSON", description="The format of the values.")
    compatibility: Literal[
        "NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"
    ] = Field("BACKWARD", description="What a next version of the schema may change.")
    message: str | None = Field(
        None,
        min_length=1,
        max_length=512,
        description="Protobuf only: the message that an event is. Default: the file's first.",
        examples=["Transaction"],
    )
    definition: str = Field(
        max_length=200_000,
        description="The schema itself: a JSON Schema of an object, an Avro record, or a .proto file.",
    )


class Topic(Wire):
    name: TopicName = Field(description="Its Kafka name is <pipeline>.<name>; in SQL it is <name>.")
    external: External | None = Field(None, description="A topic that somebody else owns.")
    partitions: int | None = Field(None, ge=1, le=1000, description="Default 3. It can grow, never shrink.")
    key_fields: list[FieldName] = Field(
        default_factory=list, max_length=16, description="Events with equal key fields keep their order."
    )
    id: EventId | None = Field(None, description="What makes two events the same event, and for how long.")
    event_time: EventTime | None = Field(None, description="When the event happened; windows go by it.")
    retention: Duration | None = Field(None, description="Default 7d. How long Kafka keeps events.")
    cleanup_policy: list[Literal["compact", "delete"]] | None = Field(
        None,
        min_length=1,
        max_length=2,
        description="Default [delete]. A compacted topic keeps the newest per key.",
    )
    deletion_policy: Literal["Retain", "Delete"] = Field(
        "Retain", description="What happens to the topic and its data when it leaves the pipeline."
    )
    schema_: Schema = Field(alias="schema", description="What an event of this topic looks like.")


class IngestAuth(Wire):
    scopes: list[Scope] = Field(
        default_factory=list, max_length=16, description="All are needed. Default: <pipeline>.<topic>:write."
    )


class EnrichLookup(Wire):
    topic: TopicName = Field(description="A compacted topic with one key field.")
    by: FieldName = Field(description="The event's field that holds the key.")
    field: FieldName = Field(description="The field of the record found there.")


class Enrich(Wire):
    field: FieldName = Field(description="The field of the event that is set.", examples=["received_at"])
    from_: Literal["ReceiveTime", "RequestId", "Caller", "Default", "Constant", "Lookup"] = Field(
        alias="from",
        description="ReceiveTime, RequestId, Caller (the token's subject), Constant and Lookup overwrite what the "
        "event says; Default fills in what it leaves out.",
    )
    value: str | int | float | bool | None = Field(None, description="With Default and Constant: the value.")
    lookup: EnrichLookup | None = Field(None, description="With Lookup: where the value comes from.")


class Ingest(Wire):
    topic: TopicName = Field(description="Opens POST /v1/topics/<topic>/events.")
    auth: IngestAuth = Field(default_factory=IngestAuth, description="Who may write.")
    on_invalid: Literal["Reject", "DeadLetter"] = Field(
        "Reject", description="Answer an invalid event with 4xx, or keep it as a dead letter and answer 202."
    )
    enrich: list[Enrich] = Field(
        default_factory=list, max_length=32, description="Fields that ingestion sets, in order, before it validates."
    )


class Job(Wire):
    name: DnsName = Field(description="Names the Flink job, its consumer group and its dead letters.")
    inputs: list[TopicName] = Field(min_length=1, max_length=16, description="The topics that the SQL reads.")
    output: TopicName = Field(description="The topic that the SQL's rows go to, column by column, by name.")
    guarantee: Literal["ExactlyOnce", "AtLeastOnce"] = Field(
        "AtLeastOnce", description="Exactly once costs latency: results are readable when a checkpoint completes."
    )
    late: Literal["DeadLetter", "Drop"] = Field(
        "DeadLetter",
        description="Events whose windows have closed: kept as dead letters, or counted and dropped.",
    )
    parallelism: int | None = Field(None, ge=1, le=256, description="Default: the platform's.")
    sql: str = Field(min_length=1, max_length=100_000, description="One SELECT in Flink SQL over the inputs.")


class View(Wire):
    name: DnsName = Field(description="Opens GET /v1/views/<name> and /v1/views/<name>/<key>.")
    topic: TopicName = Field(description="A compacted topic.")


class Rename(Wire):
    field: FieldName = Field(description="The column as it is called at this point.")
    to: FieldName = Field(description="Its new name.")


class Cast(Wire):
    field: FieldName = Field(description="The column.")
    to: Literal["STRING", "BIGINT", "DOUBLE", "BOOLEAN", "TIMESTAMP", "DATE"] = Field(
        description="A value that cannot be cast makes its row a dead letter, never a NULL."
    )


class Mask(Wire):
    field: FieldName = Field(description="The column.")
    keep_last: int = Field(0, ge=0, le=64, description="How many characters at the end stay readable.")


class SinkTransform(Wire):
    """Exactly one of these; they apply in order, each sees the names that the one before left."""

    select: list[FieldName] | None = Field(None, min_length=1, max_length=500, description="Keep only these.")
    rename: Rename | None = Field(None, description="Give a column another name.")
    cast: Cast | None = Field(None, description="Give a column another type.")
    mask: Mask | None = Field(None, description="Characters become *.")
    hash: FieldName | None = Field(None, description="The field becomes the SHA-256 of its text, in hex.")


class SinkBatch(Wire):
    max_rows: int = Field(50_000, ge=1, le=1_000_000, description="Load when this many rows wait.")
    interval: Duration = Field("2s", description="Load at least this often while rows arrive.")


class Snowflake(Wire):
    method: Literal["Loader", "Connector"] = Field(
        "Loader", description="Loader: Headrace's own, exactly once. Connector: Snowflake's Kafka connector."
    )
    table: str = Field(max_length=767, description="SCHEMA.TABLE, or DATABASE.SCHEMA.TABLE.")
    transforms: list[SinkTransform] = Field(
        default_factory=list, max_length=100, description="What happens to columns on the way, in order."
    )
    batch: SinkBatch = Field(default_factory=SinkBatch, description="When to load.")


class Sink(Wire):
    name: DnsName = Field(description="Names the loader and its consumer group.")
    topic: TopicName = Field(description="What is loaded; of a compacted topic, the newest row per key.")
    attempts: int = Field(
        5,
        ge=1,
        le=100,
        description="How often a record that keeps failing is tried before it is a dead letter. An outage of the "
        "warehouse does not count: it is waited out.",
    )
    snowflake: Snowflake = Field(description="Where to.")


class Objectives(Wire):
    window: Duration = Field("30d", description="Over which time the objectives are kept.")
    delivery_ratio: str = Field(
        "99.9%", max_length=20, pattern=r"^[0-9]{1,2}(\.[0-9]{1,6})?%$", description="Of accepted events that arrive."
    )
    latency_p95: Duration = Field("1s", alias="latencyP95", description="From accepted to readable result.")
    max_lag: Duration = Field("60s", description="How old the next unread event may be.")


class PipelineSpec(Wire):
    platform_ref: PlatformRef = Field(
        default_factory=lambda: PlatformRef(name="default"), description="Where the pipeline runs."
    )
    topics: list[Topic] = Field(
        min_length=1, max_length=100, description="What flows: every topic the pipeline reads or writes."
    )
    ingest: list[Ingest] = Field(default_factory=list, max_length=100, description="Topics that take events over HTTP.")
    jobs: list[Job] = Field(default_factory=list, max_length=50, description="Flink jobs between topics.")
    views: list[View] = Field(
        default_factory=list, max_length=50, description="Compacted topics to query by key over HTTP."
    )
    sinks: list[Sink] = Field(default_factory=list, max_length=50, description="Topics to load into tables.")
    objectives: Objectives | None = Field(None, description="What the pipeline promises; alerts follow from it.")


class StreamPipeline(Wire):
    api_version: Literal["headrace.dev/v1alpha1"]
    kind: Literal["StreamPipeline"]
    metadata: Metadata
    spec: PipelineSpec
    status: Any = Field(None, description="Written by the operator.")
