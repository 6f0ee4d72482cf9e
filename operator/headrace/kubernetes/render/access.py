"""How parts reach Kafka and Snowflake: client settings, and the Secrets that hold what they need, as mounted files.

Every part mounts its own user's Secret in the same place, so the settings are the same for all and can be in the plan.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from headrace.core.wire.platform import KafkaCluster, SecretKeyRef
from headrace.kubernetes.render.target import Part

USER_FOLDER, CA_FOLDER = "/etc/headrace/kafka/user", "/etc/headrace/kafka/ca"
SNOWFLAKE_FOLDER = "/etc/headrace/snowflake"
CA_KEY, CERTIFICATE_KEY, PRIVATE_KEY_KEY = "ca.crt", "user.crt", "user.key"  # as Strimzi's operators name them

# A JVM's client reads PEM from settings; this provider fills them from files. Flink's connector carries its own copy of
# the client under another package name.
_PROVIDER = "org.apache.flink.kafka.shaded.org.apache.kafka.common.config.provider.DirectoryConfigProvider"


@dataclass(frozen=True, slots=True)
class Mount:
    """A Secret as files. `keys`: which of its keys, None for all."""

    volume: str
    secret: str
    folder: str
    keys: tuple[str, ...] | None = None


def bootstrap_servers(kafka: KafkaCluster, namespace: str) -> str:
    """By Strimzi's naming; the whole name, because KEDA asks from another namespace."""
    return kafka.bootstrap_servers or f"{kafka.cluster}-kafka-bootstrap.{namespace}.svc:{kafka.listener.port}"


def broker_ports(bootstrap_servers: str) -> list[int]:
    """Of `host:port,host:port`."""
    return [int(server.rsplit(":", 1)[1]) for server in bootstrap_servers.split(",")]


def port_of(url: str) -> int:
    """The URL's port, or its scheme's where it names none. ValueError when what it names is no port."""
    parts = urlsplit(url)
    return parts.port or (443 if parts.scheme == "https" else 80)


def client_settings(kafka: KafkaCluster, namespace: str) -> tuple[tuple[str, str], ...]:
    """For librdkafka."""
    servers = ("bootstrap.servers", bootstrap_servers(kafka, namespace))
    if kafka.listener.authentication == "None":
        return (servers,)
    return (
        servers,
        ("security.protocol", "SSL"),
        ("ssl.ca.location", f"{CA_FOLDER}/{CA_KEY}"),
        ("ssl.certificate.location", f"{USER_FOLDER}/{CERTIFICATE_KEY}"),
        ("ssl.key.location", f"{USER_FOLDER}/{PRIVATE_KEY_KEY}"),
    )


def java_client_settings(kafka: KafkaCluster, namespace: str) -> tuple[tuple[str, str], ...]:
    """For Flink's connector: the names of files in the settings, never what is in them."""
    servers = ("bootstrap.servers", bootstrap_servers(kafka, namespace))
    if kafka.listener.authentication == "None":
        return (servers,)
    return (
        servers,
        ("security.protocol", "SSL"),
        ("config.providers", "files"),
        ("config.providers.files.class", _PROVIDER),
        ("ssl.truststore.type", "PEM"),
        ("ssl.truststore.certificates", f"${{files:{CA_FOLDER}:{CA_KEY}}}"),
        ("ssl.keystore.type", "PEM"),
        ("ssl.keystore.certificate.chain", f"${{files:{USER_FOLDER}:{CERTIFICATE_KEY}}}"),
        ("ssl.keystore.key", f"${{files:{USER_FOLDER}:{PRIVATE_KEY_KEY}}}"),
    )


def ca_secret(kafka: KafkaCluster) -> str:
    return f"{kafka.cluster}-cluster-ca-cert"


def kafka_mounts(part: Part) -> tuple[Mount, ...]:
    """What a part that talks to Kafka mounts."""
    if not part.target.secure:
        return ()
    return (
        Mount("kafka-ca", ca_secret(part.target.platform.kafka), CA_FOLDER, (CA_KEY,)),
        Mount("kafka-user", part.object_name, USER_FOLDER, (CERTIFICATE_KEY, PRIVATE_KEY_KEY)),
    )


def snowflake_key_file(key: SecretKeyRef) -> str:
    return f"{SNOWFLAKE_FOLDER}/{key.key}"


def snowflake_mounts(part: Part) -> tuple[Mount, ...]:
    account = part.target.platform.snowflake
    if account is None:
        return ()
    return (Mount("snowflake", account.private_key.name, SNOWFLAKE_FOLDER, (account.private_key.key,)),)


def volumes(mounts: tuple[Mount, ...]) -> list[dict[str, Any]]:
    # Readable by the pod's group alone; the group is the security context's.
    return [
        {
            "name": mount.volume,
            "secret": {
                "secretName": mount.secret,
                "defaultMode": 0o440,
                **({"items": [{"key": key, "path": key} for key in mount.keys]} if mount.keys else {}),
            },
        }
        for mount in mounts
    ]


def volume_mounts(mounts: tuple[Mount, ...]) -> list[dict[str, Any]]:
    return [{"name": mount.volume, "mountPath": mount.folder, "readOnly": True} for mount in mounts]
