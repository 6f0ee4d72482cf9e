"""Reads records as a job's format does, without a cluster: the Java in probe/ runs the format over many records at once.

Beside it the same records through the decoder of the gateway and the loader, so that tests hold the two together.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka.schema_registry import Schema as RegistrySchema
from confluent_kafka.schema_registry import SchemaRegistryClient

from headrace.core.columns import Column, Kind
from headrace.core.documents import SchemaRef
from headrace.core.pipeline import Schema
from headrace.core.schema import canonical, read_schema
from headrace.core.sql.formats import format_options
from headrace_apps.records.decoder import Decoder, decoder_of
from headrace_apps.records.registry import ConfluentRegistry

PROBE = Path(__file__).parent / "probe" / "FormatProbe.java"
RegistryName = {"JSON": "JSON", "Avro": "AVRO", "Protobuf": "PROTOBUF"}


@dataclass(frozen=True)
class Java:
    """`class_path` holds Flink, the formats and the compiled probe."""

    binary: str
    class_path: str

    def run(self, *arguments: str, given: bytes) -> str:
        command = [self.binary, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m", "-cp", self.class_path]
        done = subprocess.run([*command, "FormatProbe", *arguments], input=given, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()


def compiled(java: str, ecj: Path, jars: Sequence[Path], folder: Path) -> Java:
    """The probe, compiled into `folder`."""
    class_path = os.pathsep.join(map(str, jars))
    command = [java, "-XX:TieredStopAtLevel=1", "-jar", str(ecj), "--release", "17", "-nowarn", "-cp", class_path]
    done = subprocess.run([*command, "-d", str(folder), str(PROBE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Java(java, os.pathsep.join([str(folder), class_path]))


@dataclass(frozen=True)
class Reading:
    """One topic's schema and where its versions are registered."""

    java: Java
    folder: Path
    registry: str
    subject: str
    schema: Schema

    @property
    def client(self) -> SchemaRegistryClient:
        return SchemaRegistryClient({"url": self.registry, "timeout": 10})

    def register(self, definition: str | None = None) -> int:
        """The id of this definition, the topic's own by default, as a version of the subject."""
        text = canonical(self.schema.definition) if definition is None else definition
        return self.client.register_schema(self.subject, RegistrySchema(text, RegistryName[self.schema.format]))

    def table(self, registry: str | None = None) -> dict[str, Any]:
        options = format_options(self.schema, self.subject, registry or self.registry)
        options |= {
            f"value.headrace-{self.schema.format.lower()}.registry": registry or self.registry,
            f"value.headrace-{self.schema.format.lower()}.subject": self.subject,
        }
        name = options.pop("value.format")
        return {
            "format": name,
            "columns": f"ROW<{', '.join(column.sql for column in self.schema.columns)}>",
            "options": {key.removeprefix(f"value.{name}."): value for key, value in options.items()},
        }

    def rows(self, records: Sequence[bytes | None], registry: str | None = None) -> list[dict[str, Any]]:
        """Per record the row with `_outcome`, `_error` and `_raw`, its values in their JSON form."""
        table = self.folder / "table.json"
        table.write_text(json.dumps(self.table(registry)))
        lengths = (struct.pack(">i", -1 if record is None else len(record)) for record in records)
        given = b"".join(length + (record or b"") for length, record in zip(lengths, records, strict=True))
        return [json.loads(line) for line in self.java.run(str(table), given=given).splitlines()]

    def decoder(self) -> Decoder:
        """What the gateway and the loader read this topic with."""
        ref = SchemaRef(
            format=self.schema.format,
            subject=self.subject,
            identity="",
            definition=self.schema.definition,
            message=self.schema.message,
        )
        return decoder_of(ref, self.schema.columns, ConfluentRegistry(self.registry))


def schema_of(format_: Any, text: str, *, message: str | None = None, event_time: str | None = None) -> Schema:
    declared = read_schema(format_, text, message=message, event_time=event_time, needed=())
    return Schema(format_, "NONE", declared.definition, declared.columns, declared.message)


def comparable(columns: Sequence[Column], row: dict[str, Any]) -> dict[str, Any]:
    """A row of the probe in the terms of the loader's (`headrace_apps.records.outcome.Row`)."""
    import base64
    from datetime import datetime
    from decimal import Decimal

    def value(column: Column, found: Any) -> Any:
        match column.type.kind:
            case _ if found is None:
                return None
            case Kind.TIMESTAMP | Kind.EPOCH_MILLIS:
                at = datetime.fromisoformat(found)
                return round((at - datetime.fromisoformat("1970-01-01T00:00:00Z")).total_seconds() * 1000)
            case Kind.DECIMAL:
                return Decimal(found)
            case Kind.BYTES:
                return base64.b64decode(found)
            case _:
                return found

    return {column.name: value(column, row[column.name]) for column in columns}
