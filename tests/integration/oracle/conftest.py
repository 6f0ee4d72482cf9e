"""Jobs of one pipeline on the session's cluster, planned as the product plans them.

`HEADRACE_ORACLE_EVENTS` says how many random events; `make oracle` asks for many, continuous integration for few.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from string import Template
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from tests.integration.flink.conftest import Stream, job_jars, stream  # noqa: F401 - pytest finds fixtures by name
from tests.integration.oracle.records import Put

from headrace.core.documents import Auth, SnowflakeConnection
from headrace.core.load import load
from headrace.core.plan import Plan, plan
from headrace.core.platform import FlinkDefaults, Platform
from headrace_apps.demo.moments import rfc3339
from headrace_apps.demo.sample import parse_manifest
from headrace_apps.demo.wire import Wire

PIPELINE = Path(__file__).parent / "pipeline.yaml"
FIELDS = ("event_id", "user_id", "amount", "occurred_at")

SCHEMAS: Mapping[str, Any] = {
    "JSON": {
        "type": "object",
        "required": list(FIELDS),
        "properties": {
            "event_id": {"type": "string"},
            "user_id": {"type": "string"},
            "amount": {"type": "number"},
            "occurred_at": {"type": "string", "format": "date-time"},
        },
    },
    "Avro": {
        "type": "record",
        "name": "Event",
        "fields": [
            {"name": "event_id", "type": "string"},
            {"name": "user_id", "type": "string"},
            {"name": "amount", "type": "double"},
            {"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        ],
    },
    "Protobuf": """
        syntax = "proto3";
        import "google/protobuf/timestamp.proto";
        message Event {
          string event_id = 1;
          string user_id = 2;
          double amount = 3;
          google.protobuf.Timestamp occurred_at = 4;
        }""",
}


@pytest.fixture(scope="session")
def event_count() -> int:
    return int(os.environ.get("HEADRACE_ORACLE_EVENTS", "5000"))


@pytest.fixture(scope="session")
def all_jobs() -> bool:
    return "HEADRACE_ORACLE_EVENTS" in os.environ


@dataclass(frozen=True)
class OraclePipeline:
    """The pipeline in one format. Its topics are below the stream's prefix."""

    stream: Stream
    plan: Plan
    wire: Wire

    def encode(self, event: Mapping[str, Any]) -> bytes:
        """As another maker's serializer writes it."""
        fields = {**event, "occurred_at": rfc3339(event["at"])}
        return self.wire.encode("events", {name: fields[name] for name in FIELDS})

    def put(self, puts: Sequence[Put], partition_of: Callable[[int], int]) -> list[tuple[int, int]]:
        """Produce all in their order; the place of each."""
        producer = Producer({"bootstrap.servers": self.stream.kafka, "acks": "all", "linger.ms": 20})
        places: dict[int, tuple[int, int]] = {}
        for number, one in enumerate(puts):

            def delivered(error: Any, message: Any, number: int = number) -> None:
                assert error is None, error
                places[number] = (message.partition(), message.offset())

            topic = f"{self.stream.prefix}events"
            partition = partition_of(number)
            while True:
                try:
                    producer.produce(topic, one.value, one.key, partition=partition, on_delivery=delivered)
                    break
                except BufferError:
                    producer.poll(1)
            producer.poll(0)
        assert producer.flush(60) == 0
        return [places[number] for number in range(len(puts))]

    def documents(self, outputs: Sequence[str]) -> list[Path]:
        """Those of the jobs that write these topics."""
        wanted = {f"{self.stream.prefix}{output}" for output in outputs}
        jobs = [job for job in self.plan.jobs if wanted & set(job.writes)]
        return [self._write(job.document.name, job.document.to_json()) for job in jobs]

    def _write(self, name: str, text: str) -> Path:
        path = self.stream.folder / f"{name}.json"
        path.write_text(text)
        return path


@pytest.fixture
def oracle_pipeline(stream: Stream, registry: str) -> Callable[..., OraclePipeline]:  # noqa: F811
    """Makes topics and subjects of the pipeline in one format; `bounded` jobs end with what is in the topic."""

    def make(format_: str, *, bounded: bool, partitions: int) -> OraclePipeline:
        schema = SCHEMAS[format_]
        definition = schema if isinstance(schema, str) else json.dumps(schema)
        text = Template(PIPELINE.read_text()).substitute(
            partitions=partitions, schema=json.dumps({"format": format_, "definition": definition})
        )
        loaded = load(text)
        assert not loaded.problems, loaded.problems
        platform = Platform(
            name="test",
            kafka=(("bootstrap.servers", stream.kafka),),
            registry_url=registry,
            flink=FlinkDefaults(
                checkpoint_dir=(stream.folder / "checkpoints").as_uri(),
                savepoint_dir=(stream.folder / "savepoints").as_uri(),
                bounded=bounded,
            ),
            auth=Auth(enabled=False, issuer="i", audience="a"),
            snowflake=SnowflakeConnection(account="a", user="u"),
            database="D",
            topic_prefix=stream.prefix,
        )
        made = plan(loaded.pipelines[0], platform)
        client = SchemaRegistryClient({"url": registry, "timeout": 10})
        for subject in made.subjects:
            client.register_schema(subject.name, Schema(subject.definition, subject.format.upper()))
        for topic in made.topics:
            stream.topic(topic.name.removeprefix(stream.prefix), topic.partitions)
        manifest = parse_manifest(text)
        topics = {name: replace(t, kafka=stream.prefix + t.kafka) for name, t in manifest.topics.items()}
        own = replace(manifest, pipeline=stream.prefix + manifest.pipeline, topics=topics)
        return OraclePipeline(replace(stream, prefix=f"{stream.prefix}oracle."), made, Wire(own, registry))

    return make
