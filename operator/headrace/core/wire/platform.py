"""`StreamPlatform`: where pipelines of a namespace run, by reference only. On one machine a built-in one serves."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from headrace.core.wire.common import DnsName, Duration, Metadata, Wire

Url = Annotated[str, StringConstraints(max_length=2000, pattern=r"^https?://[^\s]+$")]
TopicPrefix = Annotated[str, StringConstraints(max_length=100, pattern=r"^([a-zA-Z0-9_-]+\.)*$")]


class SecretKeyRef(Wire):
    """A key of a Secret in the same namespace. Secrets are only ever referenced."""

    name: DnsName
    key: Annotated[str, StringConstraints(min_length=1, max_length=253)]


class KafkaCluster(Wire):
    cluster: DnsName | None = Field(None, description="A Strimzi Kafka in the same namespace.")
    listener: DnsName = Field("tls", description="Which of its listeners pipelines use.")
    bootstrap_servers: str | None = Field(None, max_length=2000, description="Instead of cluster: host:port, …")
    topic_prefix: TopicPrefix = Field("", description="Before every topic; empty, or ending in a dot.")
    replication_factor: int = Field(3, ge=1, le=9)


class Registry(Wire):
    url: Url = Field(description="The registry's Confluent-compatible API.")
    credentials: SecretKeyRef | None = None


class FlinkPlatform(Wire):
    checkpoint_storage: str = Field(max_length=1000, description="A URI that every job can reach, like s3://….")
    parallelism: int = Field(1, ge=1, le=256)
    checkpoint_interval: Duration = Field("500ms", description="Of exactly-once jobs: how long their readers wait.")


class TokenIssuer(Wire):
    issuer: Url
    audience: Annotated[str, StringConstraints(min_length=1, max_length=253)] = "headrace"
    jwks_url: Url


class SnowflakeAccount(Wire):
    account: Annotated[str, StringConstraints(min_length=1, max_length=253)]
    user: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    private_key: SecretKeyRef
    database: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    warehouse: str | None = Field(None, max_length=255)
    role: str | None = Field(None, max_length=255)


class Images(Wire):
    headrace: str | None = Field(None, max_length=500)
    flink: str | None = Field(None, max_length=500)
    connect: str | None = Field(None, max_length=500)


class PlatformSpec(Wire):
    kafka: KafkaCluster
    registry: Registry
    connect_cluster: DnsName | None = Field(None, description="A Strimzi KafkaConnect, for sinks by Connector.")
    flink: FlinkPlatform
    auth: TokenIssuer
    snowflake: SnowflakeAccount | None = None
    images: Images | None = None


class StreamPlatform(Wire):
    api_version: Literal["headrace.dev/v1alpha1"]
    kind: Literal["StreamPlatform"]
    metadata: Metadata
    spec: PlatformSpec
    status: Any = Field(None, description="Written by the operator.")
