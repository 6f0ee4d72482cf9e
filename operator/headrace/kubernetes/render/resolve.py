"""A StreamPlatform as the `Platform` that a plan is made for; and what a pipeline needs that its platform lacks."""

from __future__ import annotations

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
    name = platform.metadata.name
    found = []
    if pipeline.platform != name:
        message = f"is {pipeline.platform!r}, and the platform is {name!r}"
        found.append(Problem(("spec", "platformRef", "name"), message, "give the platform of that name"))
    if pipeline.name[0].isdigit():
        message = f"{pipeline.name!r} starts with a digit, and Services and Flink's deployments cannot"
        found.append(Problem(("metadata", "name"), message, "start with a letter"))
    if pipeline.sinks and platform.spec.snowflake is None:
        message = f"needs a Snowflake account, and the platform {name!r} has none"
        found.append(Problem(("spec", "sinks"), message, "add spec.snowflake to the platform"))
    kafka = platform.spec.kafka.bootstrap_servers
    if kafka and not all(1 <= port <= MAX_PORT for port in broker_ports(kafka)):
        found.append(_no_port(("spec", "kafka", "bootstrapServers"), kafka, name))
    for path, url in (
        (("spec", "registry", "url"), platform.spec.registry.url),
        (("spec", "auth", "jwksUrl"), platform.spec.auth.jwks_url),
    ):
        try:
            port_of(url)
        except ValueError:
            found.append(_no_port(path, url, name))
    return found


def _no_port(path: Path, value: str, platform: str) -> Problem:
    return Problem(path, f"of the platform {platform!r} names a port that is none: {shorten(value)!r}", "1 to 65535")
