"""A schema gets a next version while old writers go on: gateway, job, loader and table follow; a breaking one is refused."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import snowflake.connector
from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from snowflake.connector import DictCursor

# Tests are not installed, and pytest's importlib mode puts no folder on the path: this is for the harness.
sys.path.append(str(Path(__file__).parents[3]))

from tests.integration.local.up_harness import Running, headrace, until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

READINGS = """{"type": "record", "name": "Reading", "namespace": "greenhouse", "fields": [
            {"name": "reading_id", "type": "string"}, {"name": "sensor", "type": "string"},
            {"name": "celsius", "type": "double"}, {"name": "note", "type": ["null", "string"], "default": null}]}"""
FIRST = f"""\
apiVersion: headrace.dev/v1alpha1
kind: StreamPipeline
metadata: {{name: greenhouse}}
spec:
  topics:
    - name: readings
      partitions: 2
      keyFields: [sensor]
      schema:
        format: Avro
        compatibility: BACKWARD
        definition: |
          {READINGS}
    - name: doors
      partitions: 1
      keyFields: [door]
      schema:
        format: Protobuf
        compatibility: BACKWARD
        definition: |
          syntax = "proto3";
          message Door {{
            string door = 1;
            bool open = 2;
          }}
    - name: hot
      partitions: 2
      keyFields: [sensor]
      schema:
        format: Avro
        definition: |
          {READINGS.replace('"Reading"', '"Hot"')}
  ingest:
    - topic: readings
    - topic: doors
  jobs:
    - name: hot
      inputs: [readings]
      output: hot
      guarantee: ExactlyOnce
      sql: SELECT * FROM readings WHERE celsius > 30
  sinks:
    - name: all
      topic: readings
      snowflake: {{table: RAW.READINGS, batch: {{interval: 200ms}}}}
"""
ROOM = '{"name": "room", "type": "string", "default": "unknown"}'
SECOND = FIRST.replace(
    '["null", "string"], "default": null}]', f'["null", "string", "long"], "default": null}}, {ROOM}]'
).replace("bool open = 2;", "bool open = 2;\n            string by = 3;")
BREAKING = SECOND.replace('{"name": "sensor", "type": "string"}', '{"name": "sensor", "type": "long"}', 1)


class Greenhouse(Running):
    """An `up` of the pipeline above, an old writer, and what its readers see."""

    def __init__(self, folder: Path, state: Path) -> None:
        super().__init__(folder, state, text=FIRST)
        self.wait_up()
        addresses = self.status()["addresses"]
        self.registry = SchemaRegistryClient({"url": addresses["registry"], "timeout": 10})
        self._producer = Producer({"bootstrap.servers": addresses["kafka"], "partitioner": "murmur2_random"})
        self._old = AvroSerializer(
            self.registry, READINGS, conf={"auto.register.schemas": False, "normalize.schemas": False}
        )

    def write_as_ever(self, reading: str, celsius: float) -> None:
        """By a producer of another maker, with the first version of the schema."""
        value = {"reading_id": reading, "sensor": "s1", "celsius": celsius, "note": None}
        data = self._old(value, SerializationContext("greenhouse.readings", MessageField.VALUE))
        self._producer.produce("greenhouse.readings", key=b"s1", value=data)
        assert self._producer.flush(30) == 0

    def post(self, topic: str, event: dict[str, Any]) -> None:
        with self.api("greenhouse", f"greenhouse.{topic}:write") as api:
            until(lambda: api.post(f"/v1/topics/{topic}/events", json=event).is_success, f"{event} is accepted")

    def read(self, topic: str, key: str) -> dict[str, Any]:
        """The topic's events as the gateway shows them, by one of their fields."""
        with self.api("greenhouse", f"greenhouse.{topic}:read") as api:
            page = api.get(f"/v1/topics/{topic}/events", params={"limit": 1000}).raise_for_status().json()
        return {event["value"][key]: event["value"] for event in page["events"]}

    def table(self) -> dict[str, tuple[Any, ...]]:
        """Reading → note and room, as SQL shows them."""
        host, port = self.status()["addresses"]["snowflake"].split(":")
        with snowflake.connector.connect(
            account="a", user="u", password="p", host=host, port=int(port), protocol="http", database="HEADRACE"
        ) as connection:
            found: list[Any] = connection.cursor(DictCursor).execute("SELECT * FROM HEADRACE.RAW.READINGS").fetchall()
        return {row["READING_ID"]: (row["NOTE"], row.get("ROOM", "no such column")) for row in found}


@pytest.fixture(scope="module")
def greenhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Greenhouse]:
    state = Path(tempfile.mkdtemp(prefix="headrace-evolution-"))
    up = Greenhouse(tmp_path_factory.mktemp("up"), state)
    yield up
    up.kill()
    shutil.rmtree(state, ignore_errors=True)


def test_a_compatible_version_is_followed_while_old_writers_go_on(greenhouse: Greenhouse, tmp_path: Path) -> None:
    greenhouse.write_as_ever("old before", 35)
    greenhouse.post("readings", {"reading_id": "new before", "sensor": "s2", "celsius": 36, "note": "by the door"})
    greenhouse.post("doors", {"door": "north", "open": True})
    until(lambda: set(greenhouse.read("hot", "reading_id")) == {"old before", "new before"}, "the first results")
    until(lambda: set(greenhouse.table()) == {"old before", "new before"}, "the first rows")

    file = tmp_path / "second.yaml"
    file.write_text(SECOND)
    done = headrace("up", "-f", file, "--state", greenhouse.state)
    assert done.returncode == 0, done.stdout + done.stderr
    greenhouse.write_as_ever("old after", 37)
    greenhouse.post("readings", {"reading_id": "new after", "sensor": "s2", "celsius": 38, "note": 7, "room": "west"})
    greenhouse.post("doors", {"door": "south", "open": False, "by": "ann"})

    until(lambda: {"old after", "new after"} <= set(greenhouse.read("hot", "reading_id")), "the job reads both")
    rooms = {reading: value["room"] for reading, value in greenhouse.read("hot", "reading_id").items()}
    assert rooms == {"old before": "unknown", "new before": "unknown", "old after": "unknown", "new after": "west"}
    until(lambda: {"old after", "new after"} <= set(greenhouse.table()), "the table has both")
    table = greenhouse.table()
    assert {reading: room for reading, (_, room) in table.items()} == {
        "old before": None, "new before": None, "old after": "unknown", "new after": "west"
    }  # fmt: skip
    doors = greenhouse.read("doors", "door")
    assert (doors["north"]["by"], doors["south"]["by"]) == ("", "ann")


def test_a_breaking_version_is_refused_by_its_field_and_what_runs_goes_on(
    greenhouse: Greenhouse, tmp_path: Path
) -> None:
    file = tmp_path / "breaking.yaml"
    file.write_text(BREAKING)
    before = greenhouse.registry.get_versions("greenhouse.readings-value")
    planned = headrace("plan", "-f", file, "--state", greenhouse.state)
    assert planned.returncode == 1
    assert "BLOCKED: not BACKWARD compatible" in planned.stdout
    assert "sensor" in planned.stdout[planned.stdout.index("BLOCKED") :].splitlines()[0]
    done = headrace("up", "-f", file, "--state", greenhouse.state)
    assert done.returncode == 1
    assert "greenhouse.readings-value is not BACKWARD compatible" in done.stdout
    assert "sensor" in done.stdout
    assert greenhouse.registry.get_versions("greenhouse.readings-value") == before
    greenhouse.write_as_ever("after a refusal", 39)
    until(lambda: "after a refusal" in greenhouse.read("hot", "reading_id"), "results go on")
