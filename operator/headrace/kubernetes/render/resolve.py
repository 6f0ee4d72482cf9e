"""A StreamPlatform as the `Platform` that a plan is made for; and what a pipeline needs that its platform lacks."""

from __future__ import annotations

from collections.abc import Iterator

from headrace.core.documents import Auth, SnowflakeConnection
from headrace.core.durations import parse_duration
from headrace.core.pipeline import Pipeline
from headrace.core.platform import FlinkDefaults, Platform
from headrace.core.problems import Path, Problem, shorten
from headrace.core.wire.platform import SnowflakeAccount, StreamPlatform
from headrace.kubernetes.render.access import (
    broker_ports,
    client_settings,
    java_client_settings,
    port_of,
    snowflake_key_file,
)

MAX_PORT = 65_535
MAX_TOPIC_NAME = 249  # Kafka's


def resolve_platform(platform: StreamPlatform, namespace: str) -> Platform:
    """The platform as values. Jobs of two namespaces share a storage and never a folder of it."""
    spec = platform.spec
    storage = f"{spec.flink.checkpoint_storage}/{namespace}"
    return Platform(
        name=platform.metadata.name,
        kafka=client_settings(spec.kafka, namespace),
        kafka_java=java_client_settings(spec.kafka, namespace),
        registry_url=spec.registry.url,
        flink=FlinkDefaults(
            checkpoint_dir=f"{storage}/checkpoints",
            savepoint_dir=f"{storage}/savepoints",
            parallelism=spec.flink.parallelism,
            exactly_once_interval_ms=parse_duration(spec.flink.checkpoint_interval),
            transaction_timeout_ms=parse_duration(spec.flink.transaction_timeout),
        ),
        auth=Auth(issuer=spec.auth.issuer, audience=spec.auth.audience, jwks_url=spec.auth.jwks_url),
        snowflake=_connection(spec.snowflake),
        database=spec.snowflake.database if spec.snowflake else "",
        topic_prefix=spec.kafka.topic_prefix,
        replication_factor=spec.kafka.replication_factor,
    )


def _connection(account: SnowflakeAccount | None) -> SnowflakeConnection:
    """Without an account an empty one, which nothing sees: `find_mismatches` refuses pipelines with sinks then."""
    if account is None:
        return SnowflakeConnection(account="", user="")
    return SnowflakeConnection(
        account=account.account,
        user=account.user,
        warehouse=account.warehouse,
        role=account.role,
        private_key_file=snowflake_key_file(account.private_key),
    )


def find_mismatches(pipeline: Pipeline, platform: StreamPlatform) -> list[Problem]:
    """Why this pipeline cannot run on this platform; empty when it can, and then rendering cannot fail."""
    return [*_in_pipeline(pipeline, platform), *_in_platform(platform)]


def _in_pipeline(pipeline: Pipeline, platform: StreamPlatform) -> Iterator[Problem]:
    name = platform.metadata.name
    if pipeline.platform != name:
        message = f"is {pipeline.platform!r}, and the platform is {name!r}"
        yield Problem(("spec", "platformRef", "name"), message, "give the platform of that name")
    if pipeline.name[0].isdigit():
        message = f"{pipeline.name!r} starts with a digit, and Services and Flink's deployments cannot"
        yield Problem(("metadata", "name"), message, "start with a letter")
    for index, topic in enumerate(pipeline.topics):
        kafka_name = f"{platform.spec.kafka.topic_prefix}{pipeline.name}.{topic.name}"
        if topic.external is None and len(kafka_name) > MAX_TOPIC_NAME:
            message = f"would be {shorten(kafka_name)!r} in Kafka, of more than {MAX_TOPIC_NAME} characters"
            yield Problem(("spec", "topics", index, "name"), message, "shorten it, or the platform's topicPrefix")
    if pipeline.sinks and platform.spec.snowflake is None:
        message = f"needs a Snowflake account, and the platform {name!r} has none"
        yield Problem(("spec", "sinks"), message, "add spec.snowflake to the platform")


def _in_platform(platform: StreamPlatform) -> Iterator[Problem]:
    """What the CRD's rules refuse, too, for those who render without an API server; and ports."""
    name, spec = platform.metadata.name, platform.spec
    for section, bounds in (("gateway", spec.gateway), ("loader", spec.loader)):
        if bounds.min_replicas > bounds.max_replicas:
            message = f"of the platform {name!r} is more than maxReplicas"
            yield Problem(("spec", section, "minReplicas"), message, f"at most {bounds.max_replicas}")
    servers = spec.kafka.bootstrap_servers
    if servers and not all(1 <= port <= MAX_PORT for port in broker_ports(servers)):
        yield _no_port(("spec", "kafka", "bootstrapServers"), servers, name)
    for path, url in (
        (("spec", "registry", "url"), spec.registry.url),
        (("spec", "auth", "jwksUrl"), spec.auth.jwks_url),
    ):
        try:
            port_of(url)
        except ValueError:
            yield _no_port(path, url, name)


def _no_port(path: Path, value: str, platform: str) -> Problem:
    return Problem(path, f"of the platform {platform!r} names a port that is none: {shorten(value)!r}", "1 to 65535")
