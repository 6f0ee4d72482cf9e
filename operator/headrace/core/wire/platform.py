"""`StreamPlatform`: where pipelines of a namespace run, by reference only. On one machine a built-in one serves.

Every field names something that exists beside it (a Strimzi cluster, a Secret, a service) or bounds what is made; no
field holds a secret. `headrace.kubernetes.render` is its only reader.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from headrace.core.wire.common import DnsName, Duration, Metadata, Wire

Url = Annotated[str, StringConstraints(max_length=2000, pattern=r"^https?://[!-~]+$")]
TopicPrefix = Annotated[str, StringConstraints(max_length=100, pattern=r"^([a-zA-Z0-9_-]+\.)*$")]
# Kubernetes' quantities, in the forms that people write for processors and memory.
Cpu = Annotated[str, StringConstraints(max_length=16, pattern=r"^([0-9]+m|[0-9]+(\.[0-9]{1,3})?)$")]
Memory = Annotated[str, StringConstraints(max_length=16, pattern=r"^[1-9][0-9]*(Mi|Gi|Ti)$")]
Image = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[!-~]+$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=255)]


class SecretKeyRef(Wire):
    """A key of a Secret in the same namespace. Secrets are only ever referenced."""

    name: DnsName = Field(description="The Secret's name.", examples=["snowflake"])
    key: Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")] = Field(
        description="The key in it.", examples=["private-key.pem"]
    )


class Listener(Wire):
    name: DnsName = Field("tls", description="The listener's name in the Kafka resource.")
    port: int = Field(9093, ge=1, le=65535, description="Its port there.")
    authentication: Literal["Tls", "None"] = Field(
        "Tls",
        description="Tls: every part of a pipeline has a KafkaUser with a certificate and rights of its own. None: a "
        "listener without encryption and identity, for trials only.",
    )


class KafkaCluster(Wire):
    cluster: DnsName = Field(
        description="The Strimzi Kafka in the same namespace; its operators make the topics and users.",
        examples=["main"],
    )
    listener: Listener = Field(default_factory=Listener, description="Which of its listeners pipelines use.")
    bootstrap_servers: str | None = Field(
        None,
        min_length=1,
        max_length=2000,
        pattern=r"^[a-zA-Z0-9.-]+:[0-9]{1,5}(,[a-zA-Z0-9.-]+:[0-9]{1,5})*$",
        description="Brokers elsewhere, in place of the cluster's own address: host:port, joined by commas.",
        examples=["b-1.example.com:9094,b-2.example.com:9094"],
    )
    topic_prefix: TopicPrefix = Field(
        "", description="Before the name of every topic, group and transaction; empty, or ending in a dot."
    )
    replication_factor: int = Field(3, ge=1, le=9, description="Copies of each partition.")


class Registry(Wire):
    url: Url = Field(
        description="The schema registry's Confluent-compatible API.",
        examples=["http://apicurio.kafka.svc:8080/apis/ccompat/v7"],
    )


class FlinkResources(Wire):
    cpu: float = Field(1.0, ge=0.1, le=64, description="Processors of one pod.")
    memory: Annotated[str, StringConstraints(max_length=16, pattern=r"^[1-9][0-9]*[mg]$")] = Field(
        "2048m", description="Memory of one pod's process, as Flink writes it: m or g.", examples=["4g"]
    )


class SecretRef(Wire):
    name: DnsName = Field(description="The Secret's name.", examples=["checkpoint-storage"])


class FlinkPlatform(Wire):
    checkpoint_storage: str = Field(
        min_length=1,
        max_length=1000,
        pattern=r"^[a-z][a-z0-9+.-]*:/[!-~]*[!-.0-~]$",
        description="Where jobs keep checkpoints and savepoints: a URI that every pod can reach, without a slash at "
        "the end.",
        examples=["s3://streams/headrace"],
    )
    service_account: DnsName = Field(
        "flink",
        description="The ServiceAccount of Flink's pods, with the rights that the Flink operator's chart gives.",
    )
    credentials: SecretRef | None = Field(
        None, description="A Secret whose keys become environment variables of Flink's pods, for the storage."
    )
    parallelism: int = Field(1, ge=1, le=256, description="Of jobs that do not say.")
    checkpoint_interval: Duration = Field("500ms", description="Of exactly-once jobs: how long their readers wait.")
    transaction_timeout: Duration = Field(
        "15m", description="How long a job may be away before its open transactions end; at most the brokers' maximum."
    )
    job_manager: FlinkResources = Field(
        default_factory=lambda: FlinkResources(cpu=0.5, memory="1024m"), description="The pod that leads a job."
    )
    task_manager: FlinkResources = Field(default_factory=FlinkResources, description="Each pod that works for a job.")


class TokenIssuer(Wire):
    issuer: Url = Field(description="Who signs callers' tokens: their iss.", examples=["https://id.example.com"])
    audience: Text = Field("headrace", description="For whom they are: their aud.")
    jwks_url: Url = Field(
        description="Where the issuer's public keys are.", examples=["https://id.example.com/.well-known/jwks.json"]
    )


class SnowflakeAccount(Wire):
    account: Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=r"^[a-zA-Z0-9._-]+$")] = Field(
        description="The account's identifier.", examples=["acme-prod"]
    )
    user: Text = Field(description="The user that loads.", examples=["HEADRACE"])
    private_key: SecretKeyRef = Field(description="The user's private key, PEM.")
    database: Text = Field(description="Where tables go that do not name one.", examples=["EVENTS"])
    warehouse: Text | None = Field(None, description="Default: the user's.")
    role: Text | None = Field(None, description="Default: the user's.")


class Resources(Wire):
    cpu: Cpu = Field("500m", description="Processors that a pod asks for; it may use more.")
    memory: Memory = Field("512Mi", description="Memory that a pod asks for, and may not exceed.")


class GatewayPlatform(Wire):
    min_replicas: int = Field(2, ge=1, le=100, description="Pods at rest.")
    max_replicas: int = Field(10, ge=1, le=1000, description="Pods under load.")
    target_cpu: int = Field(70, ge=10, le=100, description="Per cent of the asked CPU above which pods are added.")
    resources: Resources = Field(default_factory=Resources, description="Of each pod.")


class ViewsPlatform(Wire):
    replicas: int = Field(2, ge=1, le=100, description="Pods; each holds every view.")
    storage: Memory = Field("10Gi", description="The volume of each pod.")
    storage_class: DnsName | None = Field(None, description="Of the volumes. Default: the cluster's.")
    resources: Resources = Field(
        default_factory=lambda: Resources(cpu="500m", memory="1Gi"), description="Of each pod."
    )


class LoaderPlatform(Wire):
    scaling: Literal["Keda", "Fixed"] = Field(
        "Keda",
        description="Keda: pods follow the lag. Fixed: as many as minReplicas says, where KEDA is not installed.",
    )
    min_replicas: int = Field(1, ge=1, le=100, description="Pods at rest.")
    max_replicas: int = Field(6, ge=1, le=1000, description="Pods under load; never more than the topic's partitions.")
    lag_per_pod: int = Field(100_000, ge=1, le=1_000_000_000, description="Events behind, per pod, that add a pod.")
    resources: Resources = Field(
        default_factory=lambda: Resources(cpu="500m", memory="1Gi"), description="Of each pod."
    )


class Images(Wire):
    headrace: Image = Field(description="Gateway, view server and loader.", examples=["headrace:0.1.0"])
    flink: Image = Field(
        description="Flink with Headrace's job runner and connectors.", examples=["headrace-flink:0.1.0"]
    )
    pull_secret: SecretRef | None = Field(None, description="A Secret with the images' registry's login.")


class Monitoring(Wire):
    pod_monitors: bool = Field(True, description="Whether PodMonitors are made; they need the Prometheus operator.")
    namespace: DnsName = Field("monitoring", description="Where Prometheus runs: from there metrics can be read.")


class PlatformSpec(Wire):
    kafka: KafkaCluster = Field(description="The brokers.")
    registry: Registry = Field(description="The schema registry.")
    flink: FlinkPlatform = Field(description="How jobs run.")
    auth: TokenIssuer = Field(description="Whose tokens the gateway takes.")
    images: Images = Field(description="What runs.")
    snowflake: SnowflakeAccount | None = Field(None, description="Where sinks load; needed by pipelines with sinks.")
    gateway: GatewayPlatform = Field(default_factory=GatewayPlatform, description="How gateways run.")
    views: ViewsPlatform = Field(default_factory=ViewsPlatform, description="How view servers run.")
    loader: LoaderPlatform = Field(default_factory=LoaderPlatform, description="How loaders run.")
    monitoring: Monitoring = Field(default_factory=Monitoring, description="Who reads the metrics.")


class StreamPlatform(Wire):
    api_version: Literal["headrace.dev/v1alpha1"]
    kind: Literal["StreamPlatform"]
    metadata: Metadata
    spec: PlatformSpec
    status: Any = Field(None, description="Written by the operator.")
