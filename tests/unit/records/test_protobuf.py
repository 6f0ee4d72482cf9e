"""Protobuf records as readers see them, and as the gateway writes them (docs/reference/contracts.md, "Protobuf")."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from headrace_apps.records.outcome import TOMBSTONE, Refused, Row, UnfitError
from headrace_apps.records.registry import RegistryAwayError
from headrace_apps.records.wire import render_prefix

from .paper_registry import Topic

SCHEMA = """syntax = "proto3";
package iot;
import "google/protobuf/timestamp.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/wrappers.proto";
import "google/protobuf/struct.proto";
message Before { string x = 1; }
message Reading {
  string id = 1;
  google.protobuf.Timestamp at = 2;
  google.protobuf.Duration took = 3;
  google.protobuf.DoubleValue level = 4;
  google.protobuf.BytesValue blob = 5;
  google.protobuf.Struct any = 6;
  google.protobuf.Value value = 7;
  map<string, Place> places = 8;
  map<int64, string> names = 9;
  map<bool, float> flags = 10;
  repeated Place path = 11;
  repeated sint32 deltas = 12;
  Colour colour = 13;
  oneof source { string device = 14; Place place = 15; }
  optional int32 maybe = 16;
  uint64 big = 17;
  uint32 small = 18;
  bytes raw = 19;
  double level2 = 20;
  bool ok = 21;
  message Inner { int64 n = 1; }
  Inner inner = 22;
}
message Place { int32 x = 1; optional string label = 2; }
enum Colour { COLOUR_UNKNOWN = 0; RED = 1; }
"""

FORM: dict[str, Any] = {
    "id": "a",
    "at": "2026-11-22T19:01:00.500Z",
    "took": "-1.500s",
    "level": 2.5,
    "blob": "AP8=",
    "any": {"a": [1, 2.5, None, {"b": True}]},
    "value": "text",
    "places": {"k": {"x": 1, "label": "here"}},
    "names": {"-5": "five"},
    "flags": {"true": 0.5},
    "path": [{"x": 1}, {"x": 0, "label": ""}],
    "deltas": [-1, 2],
    "colour": "RED",
    "place": {"x": 3},
    "maybe": 0,
    "big": 2**63 - 1,
    "small": 2**32 - 1,
    "raw": "AQ==",
    "level2": 1e300,
    "ok": True,
    "inner": {"n": -(2**63)},
}
ROW: dict[str, Any] = {
    **FORM,
    "at": 1_795_374_060_500,
    "blob": b"\x00\xff",
    "any": '{"a":[1,2.5,null,{"b":true}]}',
    "value": '"text"',
    "places": '{"k":{"x":1,"label":"here"}}',
    "names": '{"-5":"five"}',
    "flags": '{"true":0.5}',
    "path": '[{"x":1},{"x":0,"label":""}]',
    "deltas": "[-1,2]",
    "device": None,
    "place": '{"x":3}',
    "raw": b"\x01",
    "inner": f'{{"n":{-(2**63)}}}',
}


@pytest.fixture(scope="module")
def topic() -> Topic:
    return Topic("Protobuf", SCHEMA, message="Reading", needed=["id", "at"])


def message_class(topic: Topic) -> Any:
    """As another program would have it."""
    assert topic.ref.message is not None
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(base64.b64decode(topic.ref.message.descriptors)).file:
        pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("iot.Reading"))


def test_each_type_has_its_json_form_and_its_row(topic: Topic) -> None:
    value = topic.encode(FORM)
    assert value[:7] == b"\x00\x00\x00\x00\x01\x02\x02"  # the file's second message
    assert topic.decoder.form(value) == FORM
    assert topic.decoder.row(value) == Row(ROW)
    assert topic.encoder.form(value[5:]) == FORM


def test_what_is_not_set_is_null_or_its_default(topic: Topic) -> None:
    value = topic.encode({"id": "", "at": "1970-01-01T00:00:00Z", "unknown": 1, "colour": None})
    defaults = {"id": "", "colour": "COLOUR_UNKNOWN", "big": 0, "small": 0, "raw": b"", "level2": 0.0, "ok": False}
    empty = {"places": "{}", "names": "{}", "flags": "{}", "path": "[]", "deltas": "[]"}
    assert topic.decoder.row(value) == Row({**dict.fromkeys(ROW), **defaults, **empty, "at": 0})
    form = topic.decoder.form(value)
    assert isinstance(form, dict)
    assert form.keys() == {*defaults, *empty, "at"}


def test_a_number_without_a_name_is_shown_as_text_and_taken_back(topic: Topic) -> None:
    value = topic.encode({"id": "a", "at": "1970-01-01T00:00:00Z", "colour": "77"})
    form = topic.decoder.form(value)
    assert isinstance(form, dict)
    assert form["colour"] == "77"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"id": None}, "field id is required and may not be null"),
        ({"at": "yesterday"}, "field at must be a date-time with an offset"),
        ({"took": "1m"}, "field took must be a duration in seconds, as 1.5s"),
        ({"level": "x"}, "field level must be a number"),
        ({"any": []}, "field any must be an object"),
        ({"places": {"k": {"x": "1"}}}, "field places.k.x must be a whole number within 32 bits"),
        ({"names": {"five": "x"}}, "field names.five must be a whole number within 64 bits"),
        ({"flags": {"yes": 1}}, "field flags.yes must have the names true and false only"),
        ({"path": {}}, "field path must be an array"),
        ({"deltas": [2**31]}, "field deltas[0] must be a whole number within 32 bits"),
        ({"colour": "BLUE"}, "field colour must be one of COLOUR_UNKNOWN, RED"),
        ({"device": "both"}, "field place is of the oneof source, as device is: give one of them"),
        ({"big": 2**63}, "field big must be a whole number of at most 63 bits"),
        ({"small": -1}, "field small must be a whole number from 0 to 4294967295"),
        ({"raw": "*"}, "field raw must be base64 text"),
        ({"ok": 1}, "field ok must be true or false"),
    ],
)
def test_what_the_schema_cannot_hold_is_refused_by_name(topic: Topic, change: dict[str, Any], error: str) -> None:
    with pytest.raises(UnfitError) as refused:
        topic.encode({**FORM, **change})
    assert refused.value.line.startswith(error)


def test_every_fault_is_told(topic: Topic) -> None:
    faults = list(topic.encoder.faults({**FORM, "id": 5, "at": None, "deltas": ["x"]}))
    assert [fault.path for fault in faults] == [("id",), ("at",), ("deltas", 0)]


def test_what_is_no_record_is_refused_with_its_reason(topic: Topic) -> None:
    message = message_class(topic)
    other = topic.registry.add("", subject="other-value")
    good = render_prefix(1) + b"\x02\x02"

    def reading(**fields: Any) -> bytes:
        return good + bytes(message(**{"id": "a", "at": {}, **fields}).SerializeToString())

    cases = {
        b"": "the value has no schema id before it",
        b"{}": "the value has no schema id before it",
        render_prefix(99): "the value has the schema id 99, which the registry does not know",
        render_prefix(other): f"the value has the schema id {other}, which is of other-value",
        render_prefix(1): "the value ends within its message indexes",
        render_prefix(1) + b"\x00": "the value is the message [0] of the schema's file, not the topic's [1]",
        render_prefix(1) + b"\x04\x02\x00": "the value is the message [1, 0] of the schema's file",
        render_prefix(1) + b"\x01": "the value has -1 message indexes",
        good + b"\x0a\x05a": "the value is no Reading",
        good + b"\x0a\x01\xff": "the value is no Reading",
        good + b"\x0b": "the value is no Reading",
        good: "field at is required and is missing",
        good + b"\x08\x01": "field id is of another type than in the topic's schema",
        reading(at={"nanos": -1}): "field at has -1 nanoseconds",
        reading(at={"seconds": 10**12}): "field at is outside the years 1 to 9999",
        reading(took={"seconds": 1, "nanos": -1}): "field took is 1 s and -1 ns, no duration",
        reading(big=2**63): "field big is 9223372036854775808, a number of more than 63 bits",
        reading(level2=float("nan")): "field level2 is not a finite number",
        reading(flags={True: float("inf")}): "field flags.true is not a finite number",
    }
    for value, error in cases.items():
        for outcome in (topic.decoder.row(value), topic.decoder.form(value), topic.decoder.text(value)):
            assert isinstance(outcome, Refused), error
            assert outcome.error.startswith(error)
    assert topic.decoder.row(None) is TOMBSTONE
    topic.registry.away = True
    assert isinstance(topic.decoder.row(reading()), Row)
    with pytest.raises(RegistryAwayError):
        topic.decoder.row(render_prefix(5) + b"\x02\x02")
    topic.registry.away = False


def test_fields_of_a_newer_writer_are_ignored(topic: Topic) -> None:
    newer = topic.registry.add("of no interest")
    value = topic.encode(FORM)
    later = render_prefix(newer) + value[5:] + b"\xc2\x3e\x03new"  # field 1000
    assert topic.decoder.row(later) == Row(ROW)


def test_an_integer_event_time_is_epoch_milliseconds() -> None:
    topic = Topic("Protobuf", 'syntax = "proto3"; message M { int64 at = 1; }', event_time="at", needed=["at"])
    value = topic.encode({"at": 1_795_374_060_123})
    assert topic.decoder.row(value) == Row({"at": 1_795_374_060_123})
    assert value[5:6] == b"\x00"  # the file's first message is one byte
    with pytest.raises(UnfitError, match="outside the years"):
        topic.encode({"at": 2**62})


def test_proto2s_required_fields_are_required_at_every_depth() -> None:
    schema = 'syntax = "proto2"; message M { required string id = 1; optional I in = 2; message I { required int32 n = 1; } }'
    topic = Topic("Protobuf", schema)
    with pytest.raises(UnfitError) as refused:
        topic.encode({"id": "a", "in": {}})
    assert refused.value.line == "field in.n is required and may not be null"
    outcome = topic.decoder.row(render_prefix(1) + b"\x00\x0a\x01a\x12\x00")
    assert isinstance(outcome, Refused)
