"""`Pipeline`: a manifest that passed every check. Frozen, defaults resolved, durations in ms, columns derived.

`plan` takes it and cannot fail: validation removed every failure case.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from headrace.core.columns import Column
from headrace.core.documents import Batch, Enrichment, ProtobufMessage, TableColumn
from headrace.core.sql.lateness import Lateness


@dataclass(frozen=True, slots=True)
class Schema:
    """`definition` is parsed JSON, or a .proto file's text; `columns` the row; `message` with Protobuf only."""

    format: Literal["JSON", "Avro", "Protobuf"]
    compatibility: str
    definition: dict[str, Any] | str
    columns: tuple[Column, ...]
    message: ProtobufMessage | None = None


@dataclass(frozen=True, slots=True)
class EventId:
    field: str
    window_ms: int


@dataclass(frozen=True, slots=True)
class EventTime:
    field: str
    out_of_orderness_ms: int
    idle_timeout_ms: int


@dataclass(frozen=True, slots=True)
class Topic:
    """`external` is the Kafka name of a topic that Headrace does not own, else None."""

    name: str
    external: str | None
    partitions: int
    key_fields: tuple[str, ...]
    id: EventId | None
    event_time: EventTime | None
    retention_ms: int
    cleanup: tuple[str, ...]
    deletion_policy: Literal["Retain", "Delete"]
    schema: Schema

    @property
    def compacted(self) -> bool:
        return "compact" in self.cleanup

    @property
    def key_columns(self) -> tuple[Column, ...]:
        by_name = {column.name: column for column in self.schema.columns}
        return tuple(by_name[field] for field in self.key_fields)


@dataclass(frozen=True, slots=True)
class Ingest:
    topic: str
    scopes: tuple[str, ...]
    on_invalid: Literal["Reject", "DeadLetter"]
    enrich: tuple[Enrichment, ...]


@dataclass(frozen=True, slots=True)
class Job:
    """`lateness` has an entry per input: when a row of it is late."""

    name: str
    inputs: tuple[str, ...]
    output: str
    guarantee: Literal["ExactlyOnce", "AtLeastOnce"]
    late: Literal["DeadLetter", "Drop"]
    parallelism: int | None
    sql: str
    lateness: tuple[tuple[str, Lateness], ...]


@dataclass(frozen=True, slots=True)
class View:
    name: str
    topic: str


@dataclass(frozen=True, slots=True)
class Sink:
    """`database` None: the platform's."""

    name: str
    topic: str
    database: str | None
    schema: str
    table: str
    columns: tuple[TableColumn, ...]
    batch: Batch
    attempts: int


@dataclass(frozen=True, slots=True)
class Objectives:
    window_ms: int
    delivery_ratio: float
    latency_p95_ms: int
    max_lag_ms: int


@dataclass(frozen=True, slots=True)
class Pipeline:
    name: str
    platform: str
    topics: tuple[Topic, ...]
    ingest: tuple[Ingest, ...]
    jobs: tuple[Job, ...]
    views: tuple[View, ...]
    sinks: tuple[Sink, ...]
    objectives: Objectives | None

    def topic(self, name: str) -> Topic:
        """The declared topic of that short name; validation made sure that every reference has one."""
        return next(topic for topic in self.topics if topic.name == name)
