"""`Platform`: where pipelines run, as values. Locally `headrace.local.platform` makes it; on Kubernetes the operator
resolves a StreamPlatform into it. Secrets are file paths here, never values."""

from __future__ import annotations

from dataclasses import dataclass

from headrace.core.documents import Auth, SnowflakeConnection


@dataclass(frozen=True, slots=True)
class FlinkDefaults:
    """`checkpoint_dir` and `savepoint_dir` are URIs or paths that job and task managers share. `bounded`: jobs end
    with what their topics hold, and watermarks follow each record; that is how fixtures run."""

    checkpoint_dir: str
    savepoint_dir: str
    parallelism: int = 1
    exactly_once_interval_ms: int = 500
    at_least_once_interval_ms: int = 5_000
    transaction_timeout_ms: int = 900_000
    bounded: bool = False


@dataclass(frozen=True, slots=True)
class Platform:
    """`kafka` holds client properties (bootstrap.servers, security); `database` is where sinks load by default.

    `kafka_java`: the same for the JVM's clients, whose names of security settings differ; None: as `kafka`.
    """

    name: str
    kafka: tuple[tuple[str, str], ...]
    registry_url: str
    flink: FlinkDefaults
    auth: Auth
    snowflake: SnowflakeConnection
    database: str
    topic_prefix: str = ""
    replication_factor: int = 1
    kafka_java: tuple[tuple[str, str], ...] | None = None
