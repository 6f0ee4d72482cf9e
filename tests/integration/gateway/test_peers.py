"""Other makers' bytes, on a real broker and registry: written by confluent-kafka's serializers and read by the gateway and
the loader; written by the gateway and read by confluent-kafka's deserializers."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from headrace.core.documents import SchemaRef
from headrace.core.schema import canonical, read_schema
from headrace.local.background import Background
from headrace_apps.records.decoder import decoder_of
from headrace_apps.records.outcome import Refused, Row
from headrace_apps.records.registry import ConfluentRegistry, RegistryAwayError

from .conftest import DEADLINE, Gateway

POINT = {
    "type": "record",
    "name": "Point",
    "fields": [{"name": "x", "type": "int"}, {"name": "y", "type": ["null", "int"]}],
}
AVRO: dict[str, Any] = {
    "type": "record",
    "name": "Reading",
    "namespace": "iot",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}},
        {"name": "colour", "type": {"type": "enum", "name": "Colour", "symbols": ["RED", "BLUE"]}},
        {"name": "place", "type": ["null", POINT]},
        {"name": "any", "type": ["null", "string", "long", "iot.Point"]},
        {"name": "tags", "type": {"type": "map", "values": {"type": "array", "items": "double"}}},
        {"name": "raw", "type": "bytes"},
        {"name": "more", "type": ["null", "string"], "default": None},
    ],
}
PROTOBUF = """syntax = "proto3";
package iot;
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
message Before { string x = 1; }
message Reading {
  string id = 1;
  google.protobuf.Timestamp at = 2;
  Colour colour = 3;
  map<string, Place> places = 4;
  repeated int64 counts = 5;
  oneof source { string device = 6; Place place = 7; }
  google.protobuf.DoubleValue level = 8;
  bytes raw = 9;
  optional string more = 10;
}
message Place { int32 x = 1; optional string label = 2; }
enum Colour { UNKNOWN = 0; RED = 1; }
"""
JSON_SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "Reading",
    "required": ["id"],
    "properties": {"id": {"type": "string"}, "n": {"type": "integer"}},
}
AT = datetime(2026, 11, 22, 19, 1, 0, 500_000, tzinfo=UTC)
AT_TEXT = "2026-11-22T19:01:00.500Z"

AVRO_VALUE: dict[str, Any] = {
    "id": "a", "at": AT, "day": date(2026, 11, 22), "price": Decimal("12.50"), "colour": "BLUE",
    "place": {"x": 1, "y": None}, "any": ("iot.Point", {"x": 2, "y": 3}), "tags": {"k": [1.5, 2.0]}, "raw": b"\x00\xff",
    "more": "text",
}  # fmt: skip
AVRO_FORM: dict[str, Any] = {
    **AVRO_VALUE, "at": AT_TEXT, "day": "2026-11-22", "price": "12.50", "place": {"x": 1}, "any": {"x": 2, "y": 3},
    "raw": "AP8=",
}  # fmt: skip
PROTOBUF_FORM: dict[str, Any] = {
    "id": "a", "at": AT_TEXT, "colour": "RED", "places": {"k": {"x": 1, "label": ""}}, "counts": [-1, 2**40],
    "place": {"x": 3}, "level": 2.5, "raw": "AP8=", "more": "",
}  # fmt: skip


class Peers(Gateway):
    """A gateway with a topic per format, and the registry beside it."""

    registry = ""

    def schema(self, format_: Any, name: str) -> tuple[SchemaRef, Any]:
        definition = {"Avro": json.dumps(AVRO), "Protobuf": PROTOBUF, "JSON": json.dumps(JSON_SCHEMA)}[format_]
        message = "Reading" if format_ == "Protobuf" else None
        declared = read_schema(format_, definition, message=message, event_time=None, needed=["id"])
        subject = f"{self.prefix}{name}-value"
        ref = SchemaRef(
            format=format_,
            subject=subject,
            identity=f"{subject}/0",
            definition=declared.definition,
            message=declared.message,
        )
        return ref, declared.columns

    def document(self) -> dict[str, Any]:
        topics = []
        for format_, name in (("Avro", "avro"), ("Protobuf", "protobuf"), ("JSON", "json")):
            ref, columns = self.schema(format_, name)
            topics.append(
                {
                    "name": name,
                    "kafkaTopic": self.prefix + name,
                    "partitions": 1,
                    "compacted": False,
                    "keyFields": ["id"],
                    "schema": ref.model_dump(by_alias=True),
                    "columns": [column.model_dump() for column in columns],
                    "ingest": {"scopes": ["write"]},
                    "readScopes": ["read"],
                }
            )
        return {**super().document(), "registry": {"url": self.registry}, "topics": topics, "views": []}

    def make_topics(self) -> None:
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        names = ("avro", "protobuf", "json", "dead-letters")
        for made in admin.create_topics([NewTopic(self.prefix + name, 1, 1) for name in names]).values():
            made.result(DEADLINE)

    def register(self, client: SchemaRegistryClient) -> None:
        """As `up` does it, before the gateway starts."""
        for format_, name in (("Avro", "avro"), ("Protobuf", "protobuf"), ("JSON", "json")):
            ref, _ = self.schema(format_, name)
            client.register_schema(ref.subject, Schema(canonical(ref.definition), format_.upper()))

    def send(self, topic: str, *values: bytes) -> None:
        producer = Producer({"bootstrap.servers": self.bootstrap})
        for value in values:
            producer.produce(self.prefix + topic, value)
        assert producer.flush(DEADLINE) == 0

    def shown(self, topic: str, since: int = 0) -> list[Any]:
        """What the API shows of the topic's events, from this offset on."""
        with self.client() as client:
            answer = client.get(f"/v1/topics/{topic}/events", params={"partition": 0, "offset": since})
        assert answer.status_code == 200, answer.text
        return [event["value"] or event["error"] for event in answer.json()["events"]]

    def rows(self, format_: Any, topic: str, *values: bytes) -> list[Any]:
        """What the loader makes of them."""
        ref, columns = self.schema(format_, topic)
        decoder = decoder_of(ref, columns, ConfluentRegistry(self.registry))
        return [decoder.row(value) for value in values]

    def context(self, topic: str) -> SerializationContext:
        return SerializationContext(self.prefix + topic, MessageField.VALUE)


@pytest.fixture(scope="module")
def peers(services: Background, kafka: str, registry: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peers]:
    folder: Path = tmp_path_factory.mktemp("peers")
    gateway = Peers(services, kafka, f"peers{folder.name}.", folder)
    gateway.registry = registry
    gateway.register(SchemaRegistryClient({"url": registry, "timeout": 10}))
    gateway.make_topics()
    try:
        gateway.start()
        yield gateway
    finally:
        gateway.end()


@pytest.fixture
def client(registry: str) -> SchemaRegistryClient:
    return SchemaRegistryClient({"url": registry, "timeout": 10})


def messages(descriptors: bytes, *files: FileDescriptorProto) -> Any:
    """Another program's generated classes: the topic's own, or those of other files."""
    pool = descriptor_pool.DescriptorPool()
    for file in files or FileDescriptorSet.FromString(descriptors).file:
        pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("iot.Reading"))


def reading(peers: Peers) -> Any:
    ref, _ = peers.schema("Protobuf", "protobuf")
    assert ref.message is not None
    return messages(base64.b64decode(ref.message.descriptors))


PROTOBUF_VALUE: dict[str, Any] = {
    "id": "a", "at": AT, "colour": "RED", "places": {"k": {"x": 1, "label": ""}}, "counts": [-1, 2**40],
    "place": {"x": 3}, "level": {"value": 2.5}, "raw": b"\x00\xff", "more": "",
}  # fmt: skip


@pytest.mark.integration
def test_avro_of_old_new_and_composed_writers_is_read(peers: Peers, client: SchemaRegistryClient) -> None:
    subject = f"{peers.prefix}avro-value"
    since = len(peers.shown("avro"))
    new = AvroSerializer(client, json.dumps(AVRO), conf={"auto.register.schemas": False})
    # An older writer: without `more`, and with the named types in a schema of their own.
    # This registry cannot check a schema with references for compatibility.
    client.set_compatibility(subject, "NONE")
    point, types = f"{peers.prefix}point", [f for f in AVRO["fields"] if f["name"] != "more"]
    client.register_schema(point, Schema(json.dumps({**POINT, "namespace": "iot"}), "AVRO"))
    types = [{**f, "type": ["null", "iot.Point"]} if f["name"] == "place" else f for f in types]
    composed = Schema(json.dumps({**AVRO, "fields": types}), "AVRO", [SchemaReference("iot.Point", point, 1)])
    old = AvroSerializer(client, composed, conf={"auto.register.schemas": True})
    # A newer one: the union is wider, a field more.
    fields = [
        {**f, "type": ["null", "string", "long", "iot.Point", "boolean"]} if f["name"] == "any" else f
        for f in AVRO["fields"]
    ]
    newer_schema = {**AVRO, "fields": [*fields, {"name": "later", "type": ["null", "string"], "default": None}]}
    newer = AvroSerializer(client, json.dumps(newer_schema))
    context = peers.context("avro")
    values = [
        bytes(serializer(value, context) or b"")
        for serializer, value in [
            (new, AVRO_VALUE),
            (old, AVRO_VALUE),
            (newer, AVRO_VALUE),
            (newer, {**AVRO_VALUE, "any": True}),
        ]
    ]
    peers.send("avro", *values)
    without = {name: value for name, value in AVRO_FORM.items() if name != "more"}
    shown = peers.shown("avro", since)
    assert shown[:3] == [AVRO_FORM, without, AVRO_FORM]
    assert "is a boolean, which is no branch" in shown[3]
    rows = peers.rows("Avro", "avro", *values)
    assert isinstance(rows[0], Row)
    assert rows[0].values | {"more": None} == rows[1].values
    assert rows[0].values["price"] == Decimal("12.50")
    assert rows[0].values["any"] == '{"x":2,"y":3}'
    assert rows[2] == rows[0]
    assert isinstance(rows[3], Refused)
    assert len(client.get_versions(subject)) == 3


@pytest.mark.integration
def test_protobuf_of_other_files_and_imports_is_read(peers: Peers, client: SchemaRegistryClient) -> None:
    since = len(peers.shown("protobuf"))
    context = peers.context("protobuf")
    same = reading(peers)
    serializer = ProtobufSerializer(same, client, {"auto.register.schemas": True})
    client.set_compatibility(f"{peers.prefix}protobuf-value", "NONE")  # as above
    # The same messages over two files, the second importing the first: registered as a schema with a reference.
    ref, _ = peers.schema("Protobuf", "protobuf")
    assert ref.message is not None
    known = FileDescriptorSet.FromString(base64.b64decode(ref.message.descriptors)).file
    whole = known[-1]
    place, rest = FileDescriptorProto(), FileDescriptorProto()
    place.CopyFrom(whole)
    rest.CopyFrom(whole)
    place.name, rest.name = f"{peers.prefix}place.proto", f"{peers.prefix}reading.proto"
    del place.message_type[0:2], place.enum_type[:], place.dependency[:], rest.message_type[2:]
    rest.dependency.append(place.name)
    split = messages(b"", *known[:-1], place, rest)
    composed = ProtobufSerializer(split, client, {"auto.register.schemas": True})
    values = [
        bytes(serializer(same(**PROTOBUF_VALUE), context) or b""),
        bytes(composed(split(**PROTOBUF_VALUE), context) or b""),
    ]
    assert values[0][1:5] != values[1][1:5]
    peers.send("protobuf", *values)
    assert peers.shown("protobuf", since) == [PROTOBUF_FORM, PROTOBUF_FORM]
    one, other = peers.rows("Protobuf", "protobuf", *values)
    assert isinstance(one, Row)
    assert one == other
    assert (one.values["raw"], one.values["device"], one.values["counts"]) == (b"\x00\xff", None, f"[-1,{2**40}]")


@pytest.mark.integration
def test_json_behind_the_registrys_prefix_is_read(peers: Peers, client: SchemaRegistryClient) -> None:
    since = len(peers.shown("json"))
    serializer = JSONSerializer(json.dumps(JSON_SCHEMA), client, conf={"auto.register.schemas": False})
    value = bytes(serializer({"id": "a", "n": 1}, peers.context("json")) or b"")
    assert value[0] == 0
    stranger = client.register_schema(
        f"{peers.prefix}other-value", Schema(json.dumps({**JSON_SCHEMA, "title": "Other"}), "JSON")
    )
    foreign = b"\x00" + stranger.to_bytes(4, "big") + b'{"id":"a"}'
    unknown = b"\x00\x7f\xff\xff\xff" + b'{"id":"a"}'
    peers.send("json", value, b'{"id":"b"}', foreign, unknown)
    shown = peers.shown("json", since)
    assert shown[:2] == [{"id": "a", "n": 1}, {"id": "b"}]
    assert f"the schema id {stranger}, which is of {peers.prefix}other-value, not of" in shown[2]
    assert "the schema id 2147483647, which the registry does not know" in shown[3]
    rows = peers.rows("JSON", "json", value, b'{"id":"b"}', foreign, unknown)
    assert rows[:2] == [Row({"id": "a", "n": 1}), Row({"id": "b", "n": None})]
    assert all(isinstance(row, Refused) for row in rows[2:])


@pytest.mark.integration
def test_records_of_the_gateway_are_read_by_its_peers(peers: Peers, client: SchemaRegistryClient) -> None:
    with peers.client() as http:
        for topic, event in (("avro", AVRO_FORM), ("protobuf", PROTOBUF_FORM)):
            answer = http.post(f"/v1/topics/{topic}/events", json=event)
            assert answer.status_code == 200, answer.text
    avro, protobuf = (peers.stored(topic)[-1] for topic in ("avro", "protobuf"))
    assert (avro.key(), protobuf.key()) == (b"a", b"a")
    read = AvroDeserializer(client)
    found: Any = read(avro.value(), peers.context("avro"))
    assert found == {**AVRO_VALUE, "any": {"x": 2, "y": 3}}
    # Without the registry: the one of these tests gives a .proto in a form (`format=serialized`) that the client misreads.
    message: Any = ProtobufDeserializer(reading(peers), {})(protobuf.value(), peers.context("protobuf"))
    assert message == reading(peers)(**PROTOBUF_VALUE) or message.SerializeToString(deterministic=True) == reading(
        peers
    )(**PROTOBUF_VALUE).SerializeToString(deterministic=True)


@pytest.mark.integration
def test_a_registry_is_away_for_nobody_who_knows_the_schema(peers: Peers) -> None:
    ref, columns = peers.schema("Avro", "avro")
    decoder = decoder_of(ref, columns, ConfluentRegistry("http://127.0.0.1:9"))
    with pytest.raises(RegistryAwayError, match=r"the schema registry at http://127\.0\.0\.1:9 does not answer"):
        decoder.row(b"\x00\x00\x00\x00\x01\x00")
    elsewhere = decoder_of(ref, columns, ConfluentRegistry(peers.registry.replace("ccompat/v7", "nothing")))
    with pytest.raises(RegistryAwayError, match="answers HTTP"):
        elsewhere.row(b"\x00\x00\x00\x00\x01\x00")
