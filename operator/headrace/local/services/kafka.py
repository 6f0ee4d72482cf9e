"""The Kafka broker: one process, broker and controller in one (KRaft), data in the state folder."""

from __future__ import annotations

import asyncio
import base64
import uuid
from pathlib import Path

from headrace.local.errors import PartError
from headrace.local.java import find_java
from headrace.local.parts.lock import read_lock
from headrace.local.processes import logs
from headrace.local.processes.spawn import Spawner
from headrace.local.processes.supervisor import Service
from headrace.local.services.jvm import LIGHT, RECORDING_STOP_SECONDS, archive_of, class_path
from headrace.local.site import Site

NAME = "kafka"
MINIMUM_JAVA = 17
MAX_TRANSACTION_MS = 15 * 60 * 1000

LOG4J = """\
rootLogger.level = WARN
rootLogger.appenderRefs = console
rootLogger.appenderRef.console.ref = Console
appender.console.type = Console
appender.console.name = Console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %-5p %c: %m%n
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = INFO
"""


def properties(address: str, controller: str, data: Path) -> str:
    """server.properties of a single node on loopback: every replication factor is 1."""
    settings: dict[str, object] = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{controller}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{address},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{address}",
        "log.dirs": data,
        "auto.create.topics.enable": "false",
        "default.replication.factor": 1,
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 8,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 8,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,  # nobody else is about to join
        # A job asks for a transaction timeout above its checkpoint interval plus its longest restart.
        "transaction.max.timeout.ms": MAX_TRANSACTION_MS,
        # How soon read_committed readers go on after a writer was killed in a transaction.
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1000,
        "message.max.bytes": 8 << 20,
        "log.segment.bytes": 64 << 20,
        "num.network.threads": 2,
        "num.io.threads": 4,
        "controlled.shutdown.enable": "false",  # there is no other broker to hand anything to
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


async def kafka(site: Site, spawner: Spawner) -> Service:
    """The broker's service, its parts fetched; its address is `site.address("kafka")`."""
    jars = await site.fetcher.fetch("Kafka", read_lock()["kafka"])
    java = find_java(MINIMUM_JAVA, "Kafka", site.environ)
    folder, data = site.folder("kafka"), site.state / "kafka" / "data"
    config, log4j = folder / "server.properties", folder / "log4j2.properties"
    address = site.address(NAME)
    config.write_text(properties(address, site.address("kafka-controller"), data))
    log4j.write_text(LOG4J)
    flags = [*LIGHT, "-Xmx384m", "-Xms96m", f"-Dlog4j2.configurationFile={log4j.as_uri()}"]
    archive = archive_of(site.cache, NAME, java, jars, LIGHT)

    async def format_storage() -> None:
        if (data / "meta.properties").exists():
            return
        # Kafka's own ids never begin with a dash either: the tool would read it as an option.
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "_")
        tool = [str(java.binary), *LIGHT, "-cp", class_path(jars), f"-Dlog4j2.configurationFile={log4j.as_uri()}"]
        log = site.log("kafka-format")
        with logs.open_log(log) as output:
            process = await spawner.start(
                [*tool, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(config)], output=output
            )
        if await process.wait() != 0:
            raise PartError(f"cannot format Kafka's storage in {data}", "see the log", logs.last_lines(log))
        spawner.ended(process)

    def command() -> list[str]:
        return [
            str(java.binary), *flags, *archive.flags(), "-cp", class_path(jars), "kafka.Kafka", str(config)
        ]  # fmt: skip

    return Service(
        NAME,
        command,
        lambda: probe(address),
        site.log(NAME),
        prepare=format_storage,
        stop_rank=9,
        stop_seconds=RECORDING_STOP_SECONDS if archive.recording else 20,
        stopped=archive.keep,
        advice="if the log tells of damaged data, remove the state folder's kafka/ (its topics are lost)",
    )


async def probe(address: str) -> str | None:
    """None when the broker answers a metadata request."""
    host, port = address.rsplit(":", 1)
    _, writer = await asyncio.open_connection(host, int(port))
    writer.close()
    return await asyncio.to_thread(_metadata, address)


def _metadata(address: str) -> str | None:
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    client = AdminClient({"bootstrap.servers": address, "log_level": 0, "socket.connection.setup.timeout.ms": 1000})
    try:
        return None if client.list_topics(timeout=2).brokers else "no broker in the metadata"
    except KafkaException as error:
        return str(error)
