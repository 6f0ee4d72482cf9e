"""What an Avro, a Protobuf and a prefixed JSON record mean to a job: peers' bytes, what is no row, and random bytes.

Every record is also read by the decoder of the gateway and the loader: both must agree on each.
"""

from __future__ import annotations

import json
import random
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from confluent_kafka.schema_registry import Schema as RegistrySchema
from confluent_kafka.schema_registry import SchemaReference
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message
from grpc_tools import protoc
from tests.integration.flink.record_reading import Reading, comparable, schema_of

from headrace.core.columns import Column, Kind
from headrace.core.pipeline import Schema
from headrace_apps.records.outcome import Refused, Row, Tombstone

pytestmark = pytest.mark.integration

AVRO = json.dumps(
    {
        "type": "record",
        "name": "Reading",
        "namespace": "iot",
        "fields": [
            {"name": "id", "type": "string"},
            {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
            {"name": "sent", "type": "long"},
            {"name": "count", "type": "int"},
            {"name": "level", "type": "float"},
            {"name": "celsius", "type": ["null", "double"], "default": None},
            {"name": "ok", "type": "boolean"},
            {"name": "day", "type": {"type": "int", "logicalType": "date"}},
            {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}},
            {
                "name": "narrow",
                "type": {
                    "type": "fixed",
                    "name": "D4",
                    "size": 4,
                    "logicalType": "decimal",
                    "precision": 7,
                    "scale": 3,
                },
            },
            {"name": "mac", "type": {"type": "fixed", "name": "Mac", "size": 6}},
            {"name": "local", "type": {"type": "long", "logicalType": "local-timestamp-millis"}},
            {"name": "clock", "type": {"type": "long", "logicalType": "time-micros"}},
            {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["HOT", "COLD"]}},
            {"name": "tags", "type": {"type": "array", "items": "string"}},
            {"name": "counts", "type": {"type": "map", "values": "long"}},
            {
                "name": "place",
                "type": {
                    "type": "record",
                    "name": "Place",
                    "fields": [{"name": "city", "type": "string"}, {"name": "zip", "type": ["null", "int"]}],
                },
            },
            {
                "name": "any",
                "type": ["null", "string", "long", "Place", {"type": "array", "items": ["string", "double"]}],
                "default": None,
            },
        ],
    }
)
READING: dict[str, Any] = {
    "id": "ä1",
    "at": datetime(2026, 11, 22, 19, 1, 0, 123456, tzinfo=UTC),
    "sent": 1795374060123,
    "count": -5,
    "level": 0.5,
    "celsius": 21.25,
    "ok": True,
    "day": date(2024, 2, 29),
    "price": Decimal("-12.50"),
    "narrow": Decimal("7.125"),
    "mac": b"abcdef",
    "local": datetime(2026, 11, 22, 10, 15, 30, 500_000),  # noqa: DTZ001 - a local time has no zone
    "clock": time(10, 15, 30, 500_000),
    "kind": "COLD",
    "tags": ["x", ""],
    "counts": {"k": 1},
    "place": {"city": "B", "zip": 7},
    "any": None,
}
READ = {
    "id": "ä1",
    "at": "2026-11-22T19:01:00.123Z",
    "sent": "2026-11-22T19:01:00.123Z",
    "count": -5,
    "level": 0.5,
    "celsius": 21.25,
    "ok": True,
    "day": "2024-02-29",
    "price": "-12.50",
    "narrow": "7.125",
    "mac": "YWJjZGVm",
    "local": "2026-11-22T10:15:30.5",
    "clock": "10:15:30.5",
    "kind": "COLD",
    "tags": ["x", ""],
    "counts": {"k": 1},
    "place": {"city": "B", "zip": 7},
    "any": None,
}
ANY = [None, "text", 5, {"city": 'q"', "zip": None}, ["a", 1.5]]

PROTO = """syntax = "proto3";
package iot;
import "google/protobuf/timestamp.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/wrappers.proto";
message Other { int32 x = 1; }
message Place { string city = 1; optional int64 zip = 2; Deep deep = 3; }
message Deep { repeated int32 n = 1; }
message Reading {
  enum Kind { UNKNOWN = 0; HOT = 1; }
  string id = 1; google.protobuf.Timestamp at = 2; int32 i = 3; sint64 s = 4; uint32 u = 5; fixed64 fx = 6;
  uint64 ul = 7; float f = 8; double d = 9; bool b = 10; bytes raw = 11; Kind kind = 12; optional string note = 13;
  repeated string tags = 14; repeated sint32 nums = 15; map<string, int64> m = 16; map<int32, Place> places_by = 17;
  Place place = 18; repeated Place places = 19;
  oneof choice { string word = 20; Place spot = 21; int64 number = 22; }
  google.protobuf.Duration lasted = 23; google.protobuf.Struct any = 24; google.protobuf.Value value = 25;
  google.protobuf.ListValue list = 26; google.protobuf.StringValue maybe = 27; google.protobuf.Int64Value big = 28;
  repeated Kind kinds = 29; repeated fixed32 words = 30 [packed = false]; int64 sent = 31;
}
"""
# A peer's own files: the same message, with Place in a file that it imports, and a field that the topic does not have.
COMMON = 'syntax = "proto3";\npackage iot;\n' + PROTO[PROTO.index("message Place") : PROTO.index("message Reading")]
IMPORTING = (
    PROTO.replace(COMMON[COMMON.index("message Place") :], "message Unused { }\nmessage UnusedToo { }\n")
    .replace(
        'import "google/protobuf/duration.proto";', 'import "google/protobuf/duration.proto";\nimport "common.proto";'
    )
    .replace("int64 sent = 31;", "int64 sent = 31; string later = 99;")
)

JSON = json.dumps(
    {
        "type": "object",
        "required": ["id"],
        "properties": {
            "id": {"type": "string"},
            "n": {"type": "integer"},
            "tags": {"type": "array", "items": {"type": "string"}},
        },
    }
)


@pytest.fixture
def reading(format_java: Any, registry: str, topic_prefix: str, tmp_path: Any) -> Callable[[Schema], Reading]:
    """A topic of that schema, its subject new."""

    def of(schema: Schema) -> Reading:
        found = Reading(format_java, tmp_path, registry, f"{topic_prefix}readings-value", schema)
        # Peers register what they like here; what a topic's rule would refuse is told elsewhere.
        found.client.set_compatibility(found.subject, "NONE")
        return found

    return of


@pytest.fixture
def avro(reading: Any) -> Reading:
    found: Reading = reading(schema_of("Avro", AVRO, event_time="sent"))
    return found


@pytest.fixture
def protobuf(reading: Any) -> Reading:
    found: Reading = reading(schema_of("Protobuf", PROTO, message="Reading", event_time="sent"))
    return found


def in_topic(reading: Reading) -> SerializationContext:
    return SerializationContext(reading.subject.removesuffix("-value"), MessageField.VALUE)


def avro_bytes(reading: Reading, definition: str = AVRO) -> Callable[[dict[str, Any]], bytes]:
    write = AvroSerializer(reading.client, definition)
    return lambda value: bytes(write(value, in_topic(reading)) or b"")


def outcomes(reading: Reading, records: Sequence[bytes | None]) -> list[dict[str, Any]]:
    """What the job makes of the records; the gateway and the loader must make the same of each."""
    rows = reading.rows(records)
    assert len(rows) == len(records)
    decoder = reading.decoder()
    for record, row in zip(records, rows, strict=True):
        other = decoder.row(record)
        assert row["_outcome"] == ("row" if isinstance(other, Row) else "malformed"), (record, row["_error"], other)
        if isinstance(other, Row):
            columns = reading.schema.columns
            assert plain(columns, comparable(columns, row)) == plain(columns, other.values), record
        else:
            assert isinstance(other, Refused | Tombstone)
            assert row["_error"]
            assert "\n" not in row["_error"]
            assert all(row[column.name] is None for column in reading.schema.columns)
    return rows


def plain(columns: Sequence[Column], values: dict[str, Any]) -> dict[str, Any]:
    """Nested values parsed and without nulls, so that spelling does not count."""

    def of(column: Column, value: Any) -> Any:
        if value is None or column.type.kind not in (Kind.ARRAY, Kind.MAP, Kind.ROW, Kind.JSON):
            return value
        return without_nulls(
            json.loads(value) if type(value) is str and column.type.kind is not Kind.JSON else as_json(value)
        )

    return {column.name: of(column, values[column.name]) for column in columns}


def as_json(value: Any) -> Any:
    """JSON text from the loader, parsed by the probe already from a job."""
    try:
        return json.loads(value) if type(value) is str else value
    except ValueError:
        return value


def without_nulls(value: Any) -> Any:
    if type(value) is dict:
        return {name: without_nulls(item) for name, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if type(value) is list else value


def test_a_peers_avro_is_read(avro: Reading) -> None:
    """Nested records, enums, unions, maps and logical types; the schema with defaults left out, and an older one."""
    write = avro_bytes(avro)
    rows = outcomes(avro, [write({**READING, "any": value}) for value in ANY])
    good = {"_outcome": "row", "_error": None}
    for row, value in zip(rows, ANY, strict=True):
        assert {**row, "_raw": None} == {**READ, "any": value, **good, "_raw": None}


def test_a_writers_avro_schema_is_resolved_into_the_topics(avro: Reading) -> None:
    """Promotions, a default, an alias of order, a field nobody knows, an enum and a record registered by reference."""
    avro.register()
    definition = json.loads(AVRO)
    fields = {field["name"]: field for field in definition["fields"]}
    fields["at"]["type"] = {"type": "long", "logicalType": "timestamp-millis"}
    fields["sent"]["type"] = "int"
    fields["level"]["type"] = "int"
    fields["price"]["type"] = {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 1}
    fields["kind"]["type"] = "iot.Kind"
    fields["place"]["type"] = "iot.Place"
    del fields["any"], fields["celsius"]
    extra = {"name": "extra", "type": {"type": "array", "items": ["null", "iot.Place"]}}
    definition["fields"] = [extra, *reversed(fields.values())]
    references = []
    for name in ("Kind", "Place"):
        named = next(f["type"] for f in json.loads(AVRO)["fields"] if f["name"] == name.lower())
        subject = f"{avro.subject}-{name}"
        avro.client.register_schema(subject, RegistrySchema(json.dumps({**named, "namespace": "iot"}), "AVRO"))
        references.append(SchemaReference(f"iot.{name}", subject, 1))
    write = AvroSerializer(avro.client, RegistrySchema(json.dumps(definition), "AVRO", references))
    value = {k: v for k, v in READING.items() if k not in ("any", "celsius")}
    value |= {"sent": 5, "level": 3, "extra": [None, {"city": "x", "zip": None}], "price": Decimal("-12.5")}
    (row,) = outcomes(avro, [bytes(write(value, in_topic(avro)) or b"")])
    expected = {**READ, "level": 3.0, "celsius": None, "sent": "1970-01-01T00:00:00.005Z"}
    assert {name: row[name] for name in READ} == expected


def test_avro_that_is_no_row_says_why(avro: Reading, registry: str) -> None:
    good = avro_bytes(avro)(READING)
    other = avro.client.register_schema(f"{avro.subject}-other", RegistrySchema('{"type":"string"}', "AVRO"))
    unresolvable = avro.register(AVRO.replace('"name": "count", "type": "int"', '"name": "count", "type": "string"'))
    missing = avro.register(AVRO.replace('{"name": "id", "type": "string"}, ', ""))
    cases: list[tuple[bytes | None, str]] = [
        (None, "tombstone"),
        (b"", "no registry prefix"),
        (b"{}", "no registry prefix"),
        (good[:4], "no registry prefix"),
        (good[:5], "id: the record's bytes end too early"),
        (good[:-1], "end too early"),
        (good + b"x", "goes on for 1 bytes"),
        (good.replace("ä1".encode(), b"\xff\xfe1"), "id: is not UTF-8"),
        (good.replace(struct.pack("<d", 21.25), struct.pack("<d", float("nan"))), "celsius: is NaN"),
        (b"\x00\x7f\xff\xff\xff" + good[5:], "is not known to the registry"),
        (b"\x00" + struct.pack(">i", other) + good[5:], f"not of {avro.subject}"),
        (b"\x00" + struct.pack(">i", unresolvable) + good[5:], "cannot be resolved"),
        (b"\x00" + struct.pack(">i", missing) + good[5:], "cannot be resolved"),
    ]
    for row, (record, reason) in zip(outcomes(avro, [record for record, _ in cases]), cases, strict=True):
        assert reason in row["_error"], (record, row["_error"])


def classes(folder: Any, **files: str) -> type[Message]:
    """The message Reading of these .proto files, compiled as a peer would."""
    for name, text in files.items():
        (folder / f"{name}.proto").write_text(text)
    target = folder / "set"
    names = [f"{name}.proto" for name in files]
    import grpc_tools

    known = f"{next(iter(grpc_tools.__path__))}/_proto"
    assert protoc.main(["protoc", f"-I{folder}", f"-I{known}", "--include_imports", f"-o{target}", *names]) == 0
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(target.read_bytes()).file:
        pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("iot.Reading"))


def full(made: type[Message]) -> Any:
    message: Any = made(
        id="ä1", i=-5, s=-6, u=4_000_000_000, fx=7, ul=8, f=0.5, d=1.25, b=True, raw=b"abc", kind=1, note="",
        tags=["x", ""], nums=[1, -2], word="one", words=[3, 4], sent=1795374060123,
    )  # fmt: skip
    message.at.seconds, message.at.nanos = 1795374060, 123456789
    message.m["k"] = 5
    message.places_by[3].city = "B"
    message.places_by[4].SetInParent()
    message.place.city = "C"
    message.place.deep.n.extend([1, 2, 3])
    message.places.add(city="D", zip=0)
    message.places.add()
    message.lasted.seconds, message.lasted.nanos = -1, -500_000_000
    message.any.update({"a": 1, "b": [True, None, 'q"'], "c": {"d": 1.5}})
    message.value.string_value = "s"
    message.list.extend([1, 2])
    message.maybe.value = "w"
    message.big.SetInParent()
    message.kinds.extend([0, 1, 7])
    return message


def protobuf_bytes(reading: Reading, made: type[Message]) -> Callable[[Message], bytes]:
    write = ProtobufSerializer(made, reading.client, {"use.deprecated.format": False})
    return lambda message: bytes(write(message, in_topic(reading)) or b"")


PLACE: dict[str, Any] = {"city": "", "zip": None, "deep": None}


def test_a_peers_protobuf_is_read(protobuf: Reading, tmp_path: Any) -> None:
    """Oneofs, maps, packed and other lists, Google's messages, enum numbers of tomorrow; what is not set; imports."""
    made = classes(tmp_path, main=PROTO)
    write = protobuf_bytes(protobuf, made)
    both: Any = made(spot={"city": "x"})
    importing = classes(tmp_path, importing=IMPORTING, common=COMMON)
    later = full(importing)
    later.later = "unknown to the topic"
    records = [
        write(full(made)),
        write(made()),
        write(both) + made(spot={"zip": 9}).SerializeToString(),
        protobuf_bytes(protobuf, importing)(later),
    ]
    first, empty, merged, imported = outcomes(protobuf, records)
    assert first | {"_raw": None, "any": None} == {
        "id": "ä1", "at": "2026-11-22T19:01:00.123Z", "i": -5, "s": -6, "u": 4_000_000_000, "fx": 7, "ul": 8, "f": 0.5,
        "d": 1.25, "b": True, "raw": "YWJj", "kind": "HOT", "note": "", "tags": ["x", ""], "nums": [1, -2],
        "m": {"k": 5}, "places_by": {"3": {**PLACE, "city": "B"}, "4": PLACE},
        "place": {"city": "C", "zip": None, "deep": {"n": [1, 2, 3]}}, "places": [{**PLACE, "city": "D", "zip": 0}, PLACE],
        "word": "one", "spot": None, "number": None, "lasted": "-1.500s", "any": None, "value": "s", "list": [1, 2],
        "maybe": "w", "big": 0, "kinds": ["UNKNOWN", "HOT", "7"], "words": [3, 4], "sent": "2026-11-22T19:01:00.123Z",
        "_outcome": "row", "_error": None, "_raw": None,
    }  # fmt: skip
    assert first["any"] == {"a": 1, "b": [True, None, 'q"'], "c": {"d": 1.5}}
    assert {name for name, value in empty.items() if value is None} == {
        "at", "note", "place", "word", "spot", "number", "lasted", "any", "value", "list", "maybe", "big", "_error",
    }  # fmt: skip
    assert (empty["kind"], empty["tags"], empty["m"], empty["i"]) == ("UNKNOWN", [], {}, 0)
    assert merged["spot"] == {**PLACE, "city": "x", "zip": 9}
    assert {**imported, "_raw": None} == {**first, "_raw": None}


def test_protobuf_that_is_no_row_says_why(protobuf: Reading, avro: Reading, tmp_path: Any) -> None:
    made = classes(tmp_path, main=PROTO)
    good = protobuf_bytes(protobuf, made)(full(made))
    start = good[:7]
    assert start[5:] == b"\x02\x06"  # one index, 3
    other = avro.client.register_schema(f"{avro.subject}-other", RegistrySchema('{"type":"string"}', "AVRO"))
    cases: list[tuple[bytes | None, str]] = [
        (None, "tombstone"),
        (b"\x0a\x01a", "no registry prefix"),
        (good[:-1], "input ended unexpectedly"),
        (good + b"\x00", "invalid tag"),
        (good + b"\x0c", "id: "),
        (good[:5] + b"\x00" + good[7:], "is the message [0]"),
        (good[:5], "not a message"),
        (b"\x00\x7f\xff\xff\xff" + good[5:], "is not known to the registry"),
        (b"\x00" + struct.pack(">i", other) + good[5:], f"not of {protobuf.subject}"),
        (start + b"\x0a\x02\xff\xfe", "id: is not UTF-8"),
        (start + b"\x08\x01", "id: has the wire type 0"),
        (start + b"\x49" + struct.pack("<d", float("inf")), "d: is Infinity"),
        (start + b"\x38" + b"\xff" * 9 + b"\x01", "ul: is 18446744073709551615"),
        (start + b"\x12\x06\x10\xff\xff\xff\xff\x07", "at: is 0 s and"),
    ]
    for row, (record, reason) in zip(outcomes(protobuf, [record for record, _ in cases]), cases, strict=True):
        assert reason in row["_error"], (record, row["_error"])


def prefixed_json(reading: Reading, value: dict[str, Any]) -> bytes:
    """As Confluent's JSON serializer writes it (which needs a library of its own)."""
    return b"\x00" + struct.pack(">i", reading.register()) + json.dumps(value, ensure_ascii=False).encode()


def test_a_peers_prefixed_json_is_read_like_plain_json(reading: Any, registry: str) -> None:
    topic: Reading = reading(schema_of("JSON", JSON))
    good = prefixed_json(topic, {"id": "ä", "n": 1, "tags": ["x"]})
    other = topic.client.register_schema(f"{topic.subject}-other", RegistrySchema('{"type":"string"}', "AVRO"))
    foreign = b"\x00" + struct.pack(">i", other) + good[5:]
    rows = outcomes(topic, [good, good[5:], good[:5], good[:3], foreign, good + b"{}"])
    assert [row["id"] for row in rows] == ["ä", "ä", None, None, None, None]
    reasons = ("is empty", "no registry prefix", "not of", "something follows")
    assert all(reason in row["_error"] for row, reason in zip(rows[2:], reasons, strict=True))


@contextmanager
def away_at_first(registry: str, failures: int) -> Iterator[tuple[str, list[int]]]:
    """A registry that answers 503, and a 404 that is not a registry's own, before it answers."""
    asked = [0]

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked[0] += 1
            if asked[0] <= failures:
                self.send_response(503 if asked[0] % 2 else 404)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            found = httpx.get(f"{registry}{self.path}", trust_env=False)
            self.send_response(found.status_code)
            self.send_header("Content-Length", str(len(found.content)))
            self.end_headers()
            self.wfile.write(found.content)

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base class's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()


def test_a_record_is_read_when_the_registry_is_back(avro: Reading, registry: str) -> None:
    good = avro_bytes(avro)(READING)
    with away_at_first(registry, 4) as (url, asked):
        rows = avro.rows([good, good], registry=url)
        assert [row["_outcome"] for row in rows] == ["row", "row"]
        assert asked[0] == 6  # four that failed, the id's subjects, its schema: nothing is asked for twice


MUTANTS = 1500


def mutants(good: Sequence[bytes], seed: int, protected: int) -> list[bytes]:
    """Valid records with bytes changed, cut out, doubled or put in; the first `protected` stay, so that they are read."""
    chance = random.Random(seed)
    found = []
    for _ in range(MUTANTS):
        record = bytearray(chance.choice(good))
        for _ in range(chance.choice((1, 1, 1, 2, 4))):
            at = chance.randrange(protected, len(record) + 1)
            match chance.randrange(5):
                case 0 if at < len(record):
                    record[at] = chance.randrange(256)
                case 1 if at < len(record):
                    record[at] ^= 1 << chance.randrange(8)
                case 2:
                    del record[at : at + chance.randrange(1, 5)]
                case 3:
                    record[at:at] = record[at : at + chance.randrange(1, 9)]
                case _:
                    record[at:at] = chance.randbytes(chance.randrange(1, 5))
        found.append(bytes(record))
    return found


def test_random_avro_has_one_outcome(avro: Reading) -> None:
    write = avro_bytes(avro)
    rows = outcomes(avro, mutants([write({**READING, "any": value}) for value in ANY], 1, protected=5))
    assert 50 < sum(row["_outcome"] == "row" for row in rows) < MUTANTS - 50


def test_random_protobuf_has_one_outcome(protobuf: Reading, tmp_path: Any) -> None:
    made = classes(tmp_path, main=PROTO)
    write = protobuf_bytes(protobuf, made)
    rows = outcomes(protobuf, mutants([write(full(made)), write(made())], 2, protected=7))
    assert 50 < sum(row["_outcome"] == "row" for row in rows) < MUTANTS - 50


def test_random_json_has_one_outcome(reading: Any) -> None:
    topic: Reading = reading(schema_of("JSON", JSON))
    good = prefixed_json(topic, {"id": "ä", "n": 10, "tags": ["x", '"']})
    rows = outcomes(topic, mutants([good], 3, protected=5))
    assert 50 < sum(row["_outcome"] == "row" for row in rows) < MUTANTS - 50
