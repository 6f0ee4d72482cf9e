"""What a record costs in Python: µs of CPU per event to judge and encode, to decode into a row and into the JSON form,
beside fastavro and google.protobuf alone in the same run.

    python tests/bench/records.py [--events 20000] [--rounds 5]

No broker, no registry. Rounds of all cases take turns, so that a slow phase of the machine falls on all of them; the
least of the rounds is shown. Not a test: nothing is asserted.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import fastavro
import orjson
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from headrace.core.documents import GatewayTopic, SchemaRef
from headrace.core.schema import read_schema
from headrace_apps.gateway.limits import Limits
from headrace_apps.gateway.validation import Accepted, judge_of
from headrace_apps.records.decoder import decoder_of
from headrace_apps.records.registry import WriterSchema
from headrace_apps.records.wire import render_prefix

JSON = {
    "type": "object",
    "required": ["event_id", "device", "at", "celsius", "kind"],
    "properties": {
        "event_id": {"type": "string"},
        "device": {"type": "string"},
        "at": {"type": "string", "format": "date-time"},
        "celsius": {"type": "number"},
        "battery": {"type": ["number", "null"]},
        "kind": {"enum": ["PERIODIC", "ALARM"], "type": "string"},
        "sequence": {"type": "integer"},
        "site": {"type": "string"},
    },
}
AVRO = {
    "type": "record",
    "name": "Reading",
    "fields": [
        {"name": "event_id", "type": "string"},
        {"name": "device", "type": "string"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "celsius", "type": "double"},
        {"name": "battery", "type": ["null", "double"], "default": None},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["PERIODIC", "ALARM"]}},
        {"name": "sequence", "type": "long"},
        {"name": "site", "type": ["null", "string"], "default": None},
    ],
}
PROTOBUF = """syntax = "proto3";
import "google/protobuf/timestamp.proto";
message Reading {
  string event_id = 1;
  string device = 2;
  google.protobuf.Timestamp at = 3;
  double celsius = 4;
  optional double battery = 5;
  enum Kind { PERIODIC = 0; ALARM = 1; }
  Kind kind = 6;
  int64 sequence = 7;
  optional string site = 8;
}
"""
OLDER = {**AVRO, "fields": AVRO["fields"][:-1]}


class Registry:
    def writer(self, subject: str, schema_id: int) -> WriterSchema:
        return WriterSchema(json.dumps(OLDER if schema_id == 2 else AVRO))

    def id_of(self, schema: SchemaRef) -> int | None:
        return 1


def topic(format_: Any, definition: Any) -> GatewayTopic:
    text = definition if isinstance(definition, str) else json.dumps(definition)
    found = read_schema(format_, text, message=None, event_time="at", needed=["event_id", "device", "at"])
    schema = SchemaRef(format=format_, subject="s", identity="s/0", definition=found.definition, message=found.message)
    return GatewayTopic(
        name="readings",
        kafka_topic="bench.readings",
        partitions=6,
        compacted=False,
        key_fields=("device",),
        schema_=schema,
        columns=found.columns,
        id_field="event_id",
        event_time_field="at",
        read_scopes=(),
    )


def make_events(count: int) -> list[bytes]:
    """About 220 bytes of JSON each."""
    return [
        orjson.dumps(
            {
                "event_id": f"{i:032x}",
                "device": f"device-{i % 1000:04d}",
                "at": f"2026-11-22T19:{i // 60 % 60:02}:{i % 60:02}.{i % 1000:03}Z",
                "celsius": i % 400 / 10,
                "battery": None if i % 3 else 0.5,
                "kind": "PERIODIC",
                "sequence": i,
                "site": "north",
            }
        )
        for i in range(count)
    ]


Case = tuple[str, Callable[[Any], Any], Sequence[Any]]


def cases(count: int) -> list[Case]:
    events = make_events(count)
    out: list[Case] = []
    for format_, definition in (("JSON", JSON), ("Avro", AVRO), ("Protobuf", PROTOBUF)):
        declared = topic(format_, definition)
        judge = judge_of(declared, Limits())
        decoder = decoder_of(declared.schema_, declared.columns, Registry())
        verdicts = [judge.judge(event) for event in events]
        assert all(isinstance(verdict, Accepted) for verdict in verdicts), verdicts[0]
        prefix = b"" if format_ == "JSON" else render_prefix(1)
        values = [prefix + verdict.raw for verdict in verdicts]
        out.append((f"{format_}: judged, ready to store", judge.judge, events))
        out.append((f"{format_}: into a row", decoder.row, values))
        out.append((f"{format_}: into the JSON form's text", decoder.text, values))
        if format_ == "Avro":
            out += fastavro_alone([value[5:] for value in values])
            older = [render_prefix(2) + _written(OLDER, event) for event in _read(AVRO, [v[5:] for v in values])]
            out.append(("Avro: an older writer's into a row", decoder.row, older))
        if format_ == "Protobuf":
            out += protobuf_alone(declared, [value[6:] for value in values])
    return out


def _read(schema: Any, payloads: Sequence[bytes]) -> list[Any]:
    parsed = fastavro.parse_schema(schema)
    return [fastavro.schemaless_reader(io.BytesIO(payload), parsed) for payload in payloads]


def _written(schema: Any, value: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return out.getvalue()


def fastavro_alone(payloads: Sequence[bytes]) -> list[Case]:
    parsed, older = fastavro.parse_schema(AVRO), fastavro.parse_schema(OLDER)
    values = _read(AVRO, payloads)
    old = [_written(OLDER, value) for value in values]

    def write(value: Any) -> bytes:
        out = io.BytesIO()
        fastavro.schemaless_writer(out, parsed, value)
        return out.getvalue()

    return [
        ("  fastavro alone, write", write, values),
        ("  fastavro alone, read", lambda payload: fastavro.schemaless_reader(io.BytesIO(payload), parsed), payloads),
        (
            "  fastavro alone, read of an older writer's",
            lambda payload: fastavro.schemaless_reader(io.BytesIO(payload), older, parsed),
            old,
        ),
    ]


def protobuf_alone(declared: GatewayTopic, payloads: Sequence[bytes]) -> list[Case]:
    assert declared.schema_ is not None
    assert declared.schema_.message is not None
    pool = descriptor_pool.DescriptorPool()
    encoded = base64.b64decode(declared.schema_.message.descriptors)
    for file in descriptor_pb2.FileDescriptorSet.FromString(encoded).file:
        pool.Add(file)
    made = message_factory.GetMessageClass(pool.FindMessageTypeByName("Reading"))
    names = [field.name for field in made.DESCRIPTOR.fields]
    values = [{name: getattr(message, name) for name in names} for message in map(made.FromString, payloads)]

    def read(payload: bytes) -> dict[str, Any]:
        message = made.FromString(payload)
        return {name: getattr(message, name) for name in names}

    return [
        ("  protobuf alone, keyword arguments and serialize", lambda v: made(**v).SerializeToString(), values),
        ("  protobuf alone, parse and every field", read, payloads),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="µs of CPU per record, by format.")
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    prepared = cases(options.events)
    best = dict.fromkeys((name for name, _, _ in prepared), float("inf"))
    for _ in range(options.rounds):
        for name, step, inputs in prepared:
            began = time.process_time()
            for one in inputs:
                step(one)
            best[name] = min(best[name], (time.process_time() - began) / len(inputs) * 1e6)
    for name, cost in best.items():
        print(f"{name:<52} {cost:6.2f} µs")


if __name__ == "__main__":
    main()
