"""The documents that running parts read: gateway, loader, job (docs/reference/contracts.md).

They are the whole interface between the plan and what runs: a part gets one of these as a JSON file and knows
nothing of pipelines, platforms or backends. Frozen; camelCase in JSON; unknown fields refused, so that an old part
never silently ignores what a newer plan asks for.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from headrace.core.columns import Column, ColumnType


class _Document(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )

    def to_json(self) -> str:
        """Readable, stable JSON."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Parse; raises pydantic.ValidationError, whose text names each wrong field."""
        return cls.model_validate_json(text)


class _Digested(_Document):
    @property
    def digest(self) -> str:
        """SHA-256 of the content: two documents with one digest run alike, so nothing restarts."""
        content = json.dumps(self.model_dump(mode="json", by_alias=True), sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()


Format = Literal["JSON", "Avro", "Protobuf"]


class ProtobufMessage(_Document):
    """A message as decoders need it, so that only the core compiles.

    `descriptors`: base64 of a serialized FileDescriptorSet, imports first; `name`: the message's full name; `indexes`:
    its place in its file, as the wire format's prefix has it.
    """

    descriptors: str
    name: str
    indexes: tuple[int, ...]


class SchemaRef(_Document):
    """`definition`: a JSON Schema or Avro schema as JSON, a .proto file as text; `message` with Protobuf only."""

    format: Format
    subject: str
    identity: str
    definition: dict[str, Any] | str
    message: ProtobufMessage | None = None


class Registry(_Document):
    """A registry that speaks Confluent's API."""

    url: str


class Auth(_Document):
    """How the gateway knows a caller. With `enabled`, exactly one of the three key sources is set."""

    enabled: bool = True
    issuer: str
    audience: str
    jwks_url: str | None = None
    jwks_file: str | None = None
    hs256_secret_file: str | None = None


class Lookup(_Document):
    """The value of `field` in the newest record of a compacted topic whose key is the event's field `by`."""

    topic: str
    by: str
    field: str


class Enrichment(_Document):
    """`value` (JSON) with Default and Constant, `lookup` with Lookup."""

    field: str
    source: Literal["ReceiveTime", "RequestId", "Caller", "Default", "Constant", "Lookup"]
    value: Any = None
    lookup: Lookup | None = None


class GatewayIngest(_Document):
    scopes: tuple[str, ...]
    on_invalid: Literal["Reject", "DeadLetter"] = "Reject"
    enrich: tuple[Enrichment, ...] = ()


class GatewayTopic(_Document):
    name: str
    kafka_topic: str
    partitions: int
    compacted: bool
    key_fields: tuple[str, ...]
    schema_: SchemaRef | None
    columns: tuple[Column, ...]
    id_field: str | None = None
    event_time_field: str | None = None
    ingest: GatewayIngest | None = None
    read_scopes: tuple[str, ...]

    model_config = ConfigDict(
        alias_generator=lambda name: "schema" if name == "schema_" else to_camel(name),
    )


class GatewayView(_Document):
    name: str
    topic: str
    scopes: tuple[str, ...]


class GatewayDocument(_Digested):
    document: Literal["headrace.gateway/v1"] = "headrace.gateway/v1"
    pipeline: str
    kafka: dict[str, str]
    registry: Registry | None = None
    auth: Auth
    dead_letter_topic: str
    topics: tuple[GatewayTopic, ...]
    views: tuple[GatewayView, ...] = ()

    def topic(self, name: str) -> GatewayTopic:
        """The topic of that short name; KeyError when there is none."""
        for topic in self.topics:
            if topic.name == name:
                return topic
        raise KeyError(name)


class Transform(_Document):
    kind: Literal["hash", "mask", "cast"]
    keep_last: int | None = None
    to: ColumnType | None = None


class TableColumn(_Document):
    """A column of the table: `field` of the row, after `transform`; `type` is the result's."""

    name: str
    field: str
    type: ColumnType
    required: bool = False
    transform: Transform | None = None


class LoaderTopic(_Document):
    name: str
    kafka_topic: str
    compacted: bool
    key_fields: tuple[str, ...]
    schema_: SchemaRef | None = None

    model_config = ConfigDict(
        alias_generator=lambda name: "schema" if name == "schema_" else to_camel(name),
    )


class Table(_Document):
    database: str
    schema_: str
    name: str

    model_config = ConfigDict(
        alias_generator=lambda name: "schema" if name == "schema_" else to_camel(name),
    )


class Identity(_Document):
    field: str
    window_ms: int


class Batch(_Document):
    max_rows: int = 50_000
    max_ms: int = 2_000


class SnowflakeConnection(_Document):
    """Arguments of `snowflake.connector.connect`; secrets are files, never values."""

    account: str
    user: str
    host: str | None = None
    port: int | None = None
    protocol: Literal["https", "http"] = "https"
    warehouse: str | None = None
    role: str | None = None
    password_file: str | None = None
    private_key_file: str | None = None


class LoaderDocument(_Digested):
    document: Literal["headrace.loader/v1"] = "headrace.loader/v1"
    pipeline: str
    sink: str
    kafka: dict[str, str]
    registry: Registry | None = None
    group_id: str
    dead_letter_topic: str
    topic: LoaderTopic
    table: Table
    columns: tuple[TableColumn, ...]
    fields: tuple[Column, ...]
    id: Identity | None = None
    event_time_field: str | None = None
    batch: Batch = Batch()
    attempts: int = 5
    snowflake: SnowflakeConnection


class JobDocument(_Digested):
    document: Literal["headrace.job/v1"] = "headrace.job/v1"
    name: str
    parallelism: int
    config: dict[str, str]
    statements: tuple[str, ...]
    inserts: tuple[str, ...]
