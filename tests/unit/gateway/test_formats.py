"""Avro and Protobuf topics over HTTP: events in the JSON form in, the wire format stored, the JSON form out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from headrace.core.documents import GatewayDocument, GatewayTopic, SchemaRef
from headrace.core.schema import read_schema
from headrace_apps.gateway.records import show_value
from headrace_apps.records.decoder import decoder_of
from headrace_apps.records.outcome import Row
from headrace_apps.records.registry import RegistryAwayError, UnknownSchemaError, WriterSchema

from .conftest import RememberingProducer, make_document, serve
from .paper_broker import wait_until

AVRO = {
    "type": "record",
    "name": "Payment",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 2}},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["CARD", "CASH"]}},
        {"name": "n", "type": ["null", "long"]},
    ],
}
PROTOBUF = """syntax = "proto3";
import "google/protobuf/timestamp.proto";
message Reading { string id = 1; google.protobuf.Timestamp at = 2; oneof v { int64 n = 3; string text = 4; } }
"""
PAYMENT = {"id": "a", "at": "2026-11-22T20:01:00.5+01:00", "amount": "12.5", "kind": "CARD", "n": 1}
READING = {"id": "a", "at": "2026-11-22T19:01:00Z", "n": 1}


class PaperRegistry:
    """Knows the schemas of the topics `payments` and `readings` by their ids 7 and 8, unless it is away."""

    def __init__(self) -> None:
        self.away = False
        self.missing = False

    def writer(self, subject: str, schema_id: int) -> WriterSchema:
        if self.away:
            raise RegistryAwayError("the schema registry at 127.0.0.1 does not answer")
        if schema_id not in (7, 8):
            raise UnknownSchemaError(f"has the schema id {schema_id}, which the registry does not know")
        return WriterSchema(json.dumps(AVRO))

    def id_of(self, schema: SchemaRef) -> int | None:
        if self.away:
            raise RegistryAwayError("the schema registry at 127.0.0.1 does not answer")
        return None if self.missing else {"Avro": 7, "Protobuf": 8}[schema.format]


def topic(name: str, format_: Any, definition: Any, **more: Any) -> dict[str, Any]:
    text = definition if isinstance(definition, str) else json.dumps(definition)
    needed = ["id", "at"]
    declared = read_schema(format_, text, message=None, event_time="at", needed=needed)
    return {
        "name": name,
        "kafkaTopic": f"p.{name}",
        "partitions": 3,
        "compacted": False,
        "keyFields": ["id", "at"],
        "schema": SchemaRef(
            format=format_,
            subject=f"p.{name}-value",
            identity=f"p.{name}-value/ab",
            definition=declared.definition,
            message=declared.message,
        ).model_dump(by_alias=True),
        "columns": [column.model_dump() for column in declared.columns],
        "idField": "id",
        "eventTimeField": "at",
        "ingest": {"scopes": []},
        "readScopes": [],
        **more,
    }


def document() -> GatewayDocument:
    dead = {"scopes": [], "onInvalid": "DeadLetter"}
    topics = [topic("payments", "Avro", AVRO), topic("readings", "Protobuf", PROTOBUF, ingest=dead)]
    return make_document(topics=topics, registry={"url": "http://127.0.0.1:9"})


@pytest.fixture
def registry() -> PaperRegistry:
    return PaperRegistry()


@pytest.fixture
def client(producer: RememberingProducer, registry: PaperRegistry) -> Iterator[TestClient]:
    with serve(producer, document(), registry=registry) as client:
        wait_until(lambda: client.get("/readyz").status_code == 200, "the ids to be known")
        yield client


def shown(document: GatewayDocument, name: str, value: bytes) -> Any:
    declared: GatewayTopic = document.topic(name)
    decoder = decoder_of(declared.schema_, declared.columns, PaperRegistry())
    assert isinstance(decoder.row(value), Row)
    return decoder.form(value)


@pytest.mark.parametrize(
    ("name", "event", "prefix", "form"),
    [
        ("payments", PAYMENT, b"\x00\x00\x00\x00\x07", {"at": "2026-11-22T19:01:00.500Z", "amount": "12.50"}),
        ("readings", READING, b"\x00\x00\x00\x00\x08\x00", {}),
    ],
)
def test_an_event_is_stored_in_the_wire_format_with_the_registrys_id(  # noqa: PLR0917
    client: TestClient, producer: RememberingProducer, name: str, event: dict[str, Any], prefix: bytes, form: Any
) -> None:
    assert client.post(f"/v1/topics/{name}/events", json=event).status_code == 200
    (record,) = producer.records
    assert record.value.startswith(prefix)
    assert shown(document(), name, record.value) == {**event, **form}
    when = "2026-11-22T19:01:00.5Z" if form else "2026-11-22T19:01:00Z"
    assert record.key == f'{{"id":"a","at":"{when}"}}'.encode()
    assert dict(record.headers)["headrace.schema"] == f"p.{name}-value/ab".encode()


def test_numbers_are_exact_whatever_their_spelling(client: TestClient, producer: RememberingProducer) -> None:
    event = json.dumps({**PAYMENT, "amount": 0, "n": 0})
    event = event.replace('"amount": 0', '"amount": 123456789012345678.12').replace('"n": 0', '"n": 9007199254740993.0')
    assert client.post("/v1/topics/payments/events", content=event, headers=JSON).status_code == 200
    form = shown(document(), "payments", producer.records[0].value)
    assert (form["amount"], form["n"]) == ("123456789012345678.12", 9007199254740993)


JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("change", "pointer", "message"),
    [
        ({"kind": "GOLD"}, "/kind", "must be one of CARD, CASH"),
        ({"amount": "1.234"}, "/amount", "must have at most 18 digits before the point and 2 after it"),
        ({"at": "2026-11-22"}, "/at", "must be a date-time with an offset"),
        ({"id": None}, "/id", "is required and may not be null"),
        ({"n": 1.5}, "/n", "must be a whole number within 64 bits"),
    ],
)
def test_what_the_schema_cannot_hold_is_a_problem_that_names_the_field(
    client: TestClient, producer: RememberingProducer, change: dict[str, Any], pointer: str, message: str
) -> None:
    answer = client.post("/v1/topics/payments/events", json={**PAYMENT, **change})
    assert answer.status_code == 422
    (error,) = answer.json()["results"][0]["errors"]
    assert error["pointer"] == pointer
    assert error["message"].startswith(message)
    assert producer.records == []


def test_every_fault_of_an_event_is_told_and_it_is_dead_lettered_as_it_came(
    client: TestClient, producer: RememberingProducer
) -> None:
    event = b'{"id": 5, "n": 1, "text": "both"}'
    answer = client.post("/v1/topics/readings/events", content=event, headers=JSON)
    assert answer.status_code == 202
    assert [e["pointer"] for e in answer.json()["results"][0]["errors"]] == ["/id", "/at"]
    assert producer.records[0].value == event


def test_without_the_registry_nothing_is_taken_until_it_is_back(producer: RememberingProducer) -> None:
    registry = PaperRegistry()
    registry.away = True
    with serve(producer, document(), registry=registry) as client:
        answer = client.post("/v1/topics/payments/events", json=PAYMENT)
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:headrace:schema-id-unknown")
        faults = client.get("/readyz").json()["faults"]
        assert set(faults) == {"schema p.payments-value", "schema p.readings-value"}
        registry.away, registry.missing = False, True
        why = "the registry has no such schema under p.payments-value"
        wait_until(lambda: client.get("/readyz").json()["faults"].get("schema p.payments-value") == why, "why")
        registry.missing = False
        wait_until(lambda: client.get("/readyz").status_code == 200, "the ids to be known")
        assert client.post("/v1/topics/payments/events", json=PAYMENT).status_code == 200


def test_what_cannot_be_decoded_is_shown_as_it_is_with_why() -> None:
    declared = document().topic("payments")
    decoder = decoder_of(declared.schema_, declared.columns, PaperRegistry())
    assert show_value(b"{}", decoder) == {
        "value": None,
        "valueBase64": "e30=",
        "error": "the value has no schema id before it (a zero byte and four more)",
    }


def test_the_page_shows_the_json_form_with_an_example_that_fits(
    client: TestClient, producer: RememberingProducer
) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    for name in ("payments", "readings"):
        content = paths[f"/v1/topics/{name}/events"]["post"]["requestBody"]["content"]["application/json"]
        example = content["examples"]["one event"]["value"]
        assert client.post(f"/v1/topics/{name}/events", json=example).status_code == 200, example
    assert len(producer.records) == 2
    schema = paths["/v1/topics/payments/events"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert schema["anyOf"][0]["properties"]["kind"] == {"type": "string", "enum": ["CARD", "CASH"]}
