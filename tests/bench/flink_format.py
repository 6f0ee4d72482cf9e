"""Events per CPU-second of the task manager: Headrace's source beside Flink's bare `kafka` + `json` without any route.

    python tests/bench/flink_format.py [--events 1500000] [--rounds 2] [--only pass] [--avro-confluent JAR]

Starts a broker, a registry and a Flink cluster of its own, writes the events once per format and reads them to the end
with each variant in turn; start of the job included. Machines drift, so only ratios of one run mean something.
Flink's own Avro comes with org.apache.flink:flink-sql-avro-confluent-registry:2.2.0, which nothing but this uses: give
its path. Flink's own Protobuf knows no registry prefix and needs a generated Java class: Protobuf stands beside json.
Not part of `make test`.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fastavro
import httpx
import psutil
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from confluent_kafka.schema_registry import Schema as RegistrySchema
from confluent_kafka.schema_registry import SchemaRegistryClient
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from headrace.core.columns import STRING, Column
from headrace.core.pipeline import Schema
from headrace.core.schema import canonical, read_schema
from headrace.core.sql.formats import format_options
from headrace.local import environments
from headrace.local.announce import line_announcer
from headrace.local.background import Background
from headrace.local.java import find_java
from headrace.local.parts.lock import read_lock
from headrace.local.services import apicurio, flink, kafka
from headrace.local.site import open_site

COLUMNS = "event_id STRING, user_id STRING, page STRING, referrer STRING, amount DOUBLE, occurred_at TIMESTAMP_LTZ(3)"
WATERMARK = "WATERMARK FOR occurred_at AS occurred_at - INTERVAL '0 00:00:05.000' DAY(3) TO SECOND(3)"
OURS = """, `_outcome` STRING, `_error` STRING, `_raw` BYTES, `_key` BYTES,
  `_headers` MAP<STRING, BYTES> METADATA FROM 'headers' VIRTUAL,
  `_partition` INT METADATA FROM 'partition' VIRTUAL, `_offset` BIGINT METADATA FROM 'offset' VIRTUAL"""
LATE = {"headrace.late.rule": "window", "headrace.late.kind": "tumble", "headrace.late.size": "60000 ms"}
ID = {"headrace.id.field": "event_id", "headrace.id.window": "600000 ms"}
PASS = "INSERT INTO results SELECT event_id, page, amount FROM clicks"
TUMBLE = """INSERT INTO results SELECT MAX(user_id), page, SUM(amount)
FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(occurred_at), INTERVAL '1' MINUTE)) GROUP BY page, window_start, window_end"""
LETTERS = """INSERT INTO letters SELECT `_key`, `_raw`, `_error`, CAST(`_headers` AS STRING), `_partition`, `_offset`
FROM source WHERE `_outcome` IN ('malformed', 'late')"""


AVRO = {
    "type": "record",
    "name": "Click",
    "fields": [
        {"name": "event_id", "type": "string"},
        {"name": "user_id", "type": "string"},
        {"name": "page", "type": "string"},
        {"name": "referrer", "type": ["null", "string"], "default": None},
        {"name": "amount", "type": ["null", "double"], "default": None},
        {"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "agent", "type": "string"},
        {"name": "session", "type": "long"},
    ],
}
PROTO = """syntax = "proto3";
import "google/protobuf/timestamp.proto";
message Click {
  string event_id = 1; string user_id = 2; string page = 3; optional string referrer = 4; optional double amount = 5;
  google.protobuf.Timestamp occurred_at = 6; string agent = 7; int64 session = 8;
}
"""
FORMATS = ("JSON", "Avro", "Protobuf")
REQUIRED = ("event_id", "user_id", "page", "occurred_at")


@dataclass(frozen=True)
class Places:
    bootstrap: str
    registry: str


def schema_of(name: str) -> Schema:
    """What the topic declares; the table has six of its eight fields, in each format."""
    if name == "JSON":
        return Schema("JSON", "NONE", {}, tuple(Column(name=n, type=STRING, required=True) for n in REQUIRED))
    text = json.dumps(AVRO) if name == "Avro" else PROTO
    declared = read_schema(name, text, message=None, event_time=None, needed=REQUIRED)  # type: ignore[arg-type]
    columns = tuple(column for column in declared.columns if column.name not in ("agent", "session"))
    return Schema(name, "NONE", declared.definition, columns, declared.message)  # type: ignore[arg-type]


def bare(at: Places) -> list[str]:
    options = {"connector": "kafka", "value.format": "json", "value.json.timestamp-format.standard": "ISO-8601"}
    return [_table(COLUMNS, {**_common(at, "JSON"), **options}), "CREATE TEMPORARY VIEW clicks AS SELECT * FROM source"]


def bare_avro(at: Places) -> list[str]:
    options = {
        "connector": "kafka",
        "value.format": "avro-confluent",
        "value.avro-confluent.url": at.registry,
    }
    # It maps timestamp-millis to a time without a zone only.
    columns = COLUMNS.replace("TIMESTAMP_LTZ(3)", "TIMESTAMP(3)")
    return [_table(columns, {**_common(at, "Avro"), **options}), "CREATE TEMPORARY VIEW clicks AS SELECT * FROM source"]


def ours(at: Places, name: str, extra: dict[str, str]) -> list[str]:
    options = {
        "connector": "headrace",
        "key.format": "raw",
        "key.fields": "_key",
        "value.fields-include": "EXCEPT_KEY",
        **format_options(schema_of(name), f"{topic(name)}-value", at.registry),
        **extra,
    }
    view = "CREATE TEMPORARY VIEW clicks AS SELECT event_id, user_id, page, referrer, amount, occurred_at FROM source"
    return [_table(COLUMNS + OURS, {**_common(at, name), **options}), f"{view} WHERE `_outcome` = 'row'"]


def topic(name: str) -> str:
    return f"bench.clicks-{name.lower()}"


def _common(at: Places, name: str) -> dict[str, str]:
    return {
        "topic": topic(name),
        "properties.bootstrap.servers": at.bootstrap,
        "properties.group.id": "bench",
        "scan.startup.mode": "earliest-offset",
        "scan.bounded.mode": "latest-offset",
    }


def _table(columns: str, options: dict[str, str]) -> str:
    settings = ", ".join(f"'{key}' = '{value}'" for key, value in options.items())
    return f"CREATE TEMPORARY TABLE source ({columns}, {WATERMARK}) WITH ({settings})"


def variants(at: Places, avro_confluent: bool) -> dict[str, tuple[list[str], list[str]]]:
    """Name → (statements, inserts); the first of each query is what the others are compared with."""
    found = {}
    for name, query in (("pass", PASS), ("tumble", TUMBLE)):
        late = LATE if name == "tumble" else {}
        found[f"{name}: kafka + json"] = (bare(at), [query])
        for format_ in FORMATS:
            found[f"{name}: headrace {format_}"] = (ours(at, format_, late), [query, LETTERS])
        # On the heap, and where the plan puts the ids.
        for backend in ("hashmap", "rocksdb"):
            found[f"{name}: headrace JSON, ids, {backend}"] = (ours(at, "JSON", late | ID), [query, LETTERS])
        if avro_confluent:
            found[f"{name}: kafka + avro-confluent"] = (bare_avro(at), [query])
    return found


def document(statements: list[str], inserts: list[str], backend: str) -> str:
    sinks = [
        "CREATE TEMPORARY TABLE results (a STRING, b STRING, c DOUBLE) WITH ('connector' = 'blackhole')",
        "CREATE TEMPORARY TABLE letters (k BYTES, v BYTES, e STRING, h STRING, p INT, o BIGINT)"
        " WITH ('connector' = 'blackhole')",
    ]
    config = {
        "pipeline.object-reuse": "true",
        "table.local-time-zone": "UTC",
        "state.backend.type": backend,
        "execution.checkpointing.incremental": "true",
        "execution.checkpointing.interval": "5 s",
        "execution.checkpointing.checkpoints-after-tasks-finish": "false",
    }
    return json.dumps(
        {"document": "headrace.job/v1", "name": "bench", "parallelism": 1, "config": config}
        | {"statements": statements + sinks, "inserts": inserts}
    )


def write_events(at: Places, count: int) -> None:
    admin = AdminClient({"bootstrap.servers": at.bootstrap})  # kept: its answers end with it
    for future in admin.create_topics([NewTopic(topic(name), 2, 1) for name in FORMATS]).values():
        future.result(30)
    producer = Producer({"bootstrap.servers": at.bootstrap, "linger.ms": 20, "batch.size": 1 << 20})
    encode = encoders(at)
    start = datetime(2026, 11, 22, tzinfo=UTC)
    for n in range(count):
        event: dict[str, Any] = {
            "event_id": f"{n:032x}",
            "user_id": f"user-{n % 9973}",
            "page": f"/products/{n % 100}",
            "referrer": f"https://example.org/{n % 17}",
            "amount": n % 997 + 0.25,
            "occurred_at": start + timedelta(milliseconds=10 * n),
            "agent": "x" * 60,
            "session": n % 4001,
        }
        for name, of in encode.items():
            while True:
                try:
                    producer.produce(topic(name), of(event), event["user_id"], headers=[("headrace.accepted", b"1")])
                    break
                except BufferError:
                    producer.poll(0.5)
    producer.flush()


def encoders(at: Places) -> dict[str, Callable[[dict[str, Any]], bytes]]:
    """An event as the bytes of each format; the schemas are registered."""
    client = SchemaRegistryClient({"url": at.registry, "timeout": 10})
    avro, protobuf = schema_of("Avro"), schema_of("Protobuf")
    ids = {
        name: client.register_schema(f"{topic(name)}-value", RegistrySchema(canonical(schema.definition), name.upper()))
        for name, schema in (("Avro", avro), ("Protobuf", protobuf))
    }
    parsed = fastavro.parse_schema(AVRO)
    assert protobuf.message is not None
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(base64.b64decode(protobuf.message.descriptors)).file:
        pool.Add(file)
    message = message_factory.GetMessageClass(pool.FindMessageTypeByName("Click"))

    def as_avro(event: dict[str, Any]) -> bytes:
        out = io.BytesIO(b"\x00" + struct.pack(">i", ids["Avro"]))
        out.seek(5)
        fastavro.schemaless_writer(out, parsed, event)
        return out.getvalue()

    def as_protobuf(event: dict[str, Any]) -> bytes:
        return b"\x00" + struct.pack(">i", ids["Protobuf"]) + b"\x00" + message(**event).SerializeToString()

    def as_json(event: dict[str, Any]) -> bytes:
        at = event["occurred_at"].isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return json.dumps({**event, "occurred_at": at}, separators=(",", ":")).encode()

    return {"JSON": as_json, "Avro": as_avro, "Protobuf": as_protobuf}


def run(bench: Callable[..., dict[str, Any]], text: str, task_manager: psutil.Process, rest: str) -> float:
    """CPU-seconds of the task manager from submission to the end of the job."""
    before = task_manager.cpu_times()
    job = bench(text)["jobId"]
    while (state := httpx.get(f"{rest}/jobs/{job}", trust_env=False).json()["state"]) not in ("FINISHED", "FAILED"):
        time.sleep(0.3)
    if state != "FINISHED":
        raise SystemExit(f"the job ended as {state}: see the task manager's log")
    after = task_manager.cpu_times()
    return after.user + after.system - before.user - before.system


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_500_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", default="", help="variants whose name matches this regular expression")
    parser.add_argument("--avro-confluent", type=Path, help="the jar of Flink's own Avro format")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as folder:
        site = open_site(Path(folder), line_announcer(sys.stderr))
        with Background(site) as services:
            measure(given, services, Path(folder))


def measure(given: argparse.Namespace, services: Background, folder: Path) -> None:
    site, parts = services.site, read_lock()
    services.start(services.call(kafka.kafka(site, services.spawner)))
    python = services.call(environments.make_environment(site, services.spawner, environments.flink_environment()))
    cluster = flink.flink_cluster(site, environments.pyflink_home(python))
    _, task_manager = services.start(cluster.job_manager, cluster.task_manager)
    (ecj,) = services.call(site.fetcher.fetch("ecj", parts["ecj"]))
    connectors = services.call(site.fetcher.fetch("connectors", parts["flink-connectors"]))
    services.start(services.call(apicurio.apicurio(site)))
    java = find_java(17, "Flink").binary
    environ = {**os.environ, **cluster.environ, "PYTHONPATH": str(environments.flink_jobs_folder())}
    environ |= {"JAVA_HOME": str(java.parent.parent), "FLINK_LOG_DIR": str(folder)}
    build = [str(python), "-m", "headrace_flink.build", "--ecj", str(ecj)]
    for connector in connectors:
        build += ["--classpath-jar", str(connector)]
    build += ["--java", str(java), "--out", str(folder / "jars")]
    jar = subprocess.run(build, env=environ, check=True, capture_output=True, text=True).stdout.strip()

    def submit(text: str) -> dict[str, Any]:
        path = folder / "bench.json"
        path.write_text(text)
        command = [
            str(python),
            "-m",
            "headrace_flink",
            "run",
            str(path),
            "--jobmanager",
            cluster.rest.removeprefix("http://"),
        ]
        # Flink's own Avro brings an Avro of its own and goes without ours.
        own = [connectors[0], given.avro_confluent] if "avro-confluent" in text else [Path(jar), *connectors]
        for each in own:
            command += ["--jar", str(each)]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        answer: dict[str, Any] = json.loads(done.stdout)
        if "error" in answer:
            raise SystemExit(str(answer["error"]))
        return answer

    at = Places(site.address("kafka"), apicurio.registry_url(site))
    write_events(at, given.events)
    assert task_manager.pid is not None
    # The tether's child is the JVM itself.
    process = psutil.Process(task_manager.pid)
    process = next((child for child in process.children(recursive=True) if "java" in child.name()), process)
    best: dict[str, float] = {}
    # The first job also warms the JVM: it is run once more than it counts.
    (statements, inserts), *_ = variants(at, avro_confluent=False).values()
    run(submit, document(statements, inserts, "hashmap"), process, cluster.rest)
    for _ in range(given.rounds):
        for name, (statements, inserts) in variants(at, given.avro_confluent is not None).items():
            if not re.search(given.only, name):
                continue
            backend = "rocksdb" if name.endswith("rocksdb") else "hashmap"
            seconds = run(submit, document(statements, inserts, backend), process, cluster.rest)
            best[name] = min(best.get(name, seconds), seconds)
            print(f"{name:36} {given.events / seconds / 1000:8.1f} k events per CPU-second", flush=True)
    print("\nbest of each")
    for name, seconds in best.items():
        base = best[next(other for other in best if other.split(":")[0] == name.split(":")[0])]
        print(f"{name:36} {given.events / seconds / 1000:8.1f} k   {100 * base / seconds:5.1f} %")


if __name__ == "__main__":
    main()
