"""What the gateway adds to an event: in order, before it is judged, and nothing else changes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from headrace.core.columns import BIGINT, EPOCH_MILLIS, STRING, TIMESTAMP, Column
from headrace.core.documents import Enrichment, Lookup
from headrace_apps.gateway.enrichment import Enricher, Moment, splice
from headrace_apps.gateway.tokens import Caller

from .conftest import COLUMNS, EVENT, NOW, SCHEMA, RememberingProducer, make_document, serve
from .paper_broker import PaperBroker, wait_until

MOMENT = Moment(1_795_376_545_622, "r-1", "someone")


def enriched(event: dict[str, Any], *steps: Enrichment, column: Any = STRING, **tables: Any) -> dict[str, Any]:
    columns = [Column(name="f", type=column)]
    Enricher(steps, columns, tables).enrich(event, MOMENT)
    return event


@pytest.mark.parametrize(
    ("source", "column", "value"),
    [
        ("ReceiveTime", TIMESTAMP, "2026-11-22T19:42:25.622Z"),
        ("ReceiveTime", EPOCH_MILLIS, 1_795_376_545_622),
        ("ReceiveTime", BIGINT, 1_795_376_545_622),
        ("RequestId", STRING, "r-1"),
        ("Caller", STRING, "someone"),
        ("Constant", STRING, [1]),
    ],
)
def test_what_is_known_overwrites_what_the_event_says(source: Any, column: Any, value: Any) -> None:
    step = Enrichment(field="f", source=source, value=[1])
    assert enriched({"f": "forged", "g": 1}, step, column=column) == {"f": value, "g": 1}


@pytest.mark.parametrize("event", [{}, {"f": None}])
def test_a_default_fills_what_is_missing_or_null(event: dict[str, Any]) -> None:
    step = Enrichment(field="f", source="Default", value="d")
    assert enriched(event, step) == {"f": "d"}
    assert enriched({"f": ""}, step) == {"f": ""}


class PaperTable:
    def get(self, value: Any) -> dict[str, Any] | None:
        return {"a": {"tier": "gold", "none": None}}.get(value)


@pytest.mark.parametrize(
    ("user", "field", "found"),
    [("a", "tier", "gold"), ("a", "none", None), ("b", "tier", "old"), (None, "tier", "old")],
)
def test_a_lookup_takes_the_newest_records_field_or_leaves_it(user: Any, field: str, found: Any) -> None:
    step = Enrichment(field="f", source="Lookup", lookup=Lookup(topic="users", by="user", field=field))
    assert enriched({"f": "old", "user": user}, step, users=PaperTable())["f"] == found


def test_steps_see_what_earlier_ones_did() -> None:
    steps = [
        Enrichment(field="user", source="Default", value="a"),
        Enrichment(field="f", source="Lookup", lookup=Lookup(topic="users", by="user", field="tier")),
    ]
    assert enriched({}, *steps, users=PaperTable()) == {"user": "a", "f": "gold"}


def test_an_enriched_text_keeps_all_other_members_byte_by_byte() -> None:
    raw = b'{ "a": 1.00000000000000000001, "f": "x" , "b" : {"c":[1e3]} }'
    text = splice(raw, {"f": 2**70, "new": "é"})
    assert text == b'{"a":1.00000000000000000001,"f":1180591620717411303424,"b":{"c":[1e3]},"new":"\xc3\xa9"}'


# ------------------------------------------------------------------------------------------- over HTTP

USERS = {
    "name": "users", "kafkaTopic": "p.users", "partitions": 1, "compacted": True, "keyFields": ["user_id"],
    "schema": None, "columns": [{"name": "user_id", "type": {"kind": "STRING"}, "required": True}], "readScopes": [],
}  # fmt: skip
STEPS: list[dict[str, Any]] = [
    {"field": "received_at", "source": "ReceiveTime"},
    {"field": "request", "source": "RequestId"},
    {"field": "caller", "source": "Caller"},
    {"field": "tier", "source": "Lookup", "lookup": {"topic": "users", "by": "user_id", "field": "tier"}},
]


def document(steps: list[dict[str, Any]]) -> Any:
    """The enriched fields are required: they are there before the event is judged."""
    names = ["received_at", "request", "caller"]
    schema = {**SCHEMA, "required": [*SCHEMA["required"], *names]}
    columns = [*COLUMNS, *({"name": name, "type": {"kind": "STRING"}, "required": True} for name in names)]
    clicks = make_document().topics[0].model_dump(by_alias=True)
    clicks["schema"]["definition"] = schema
    return make_document(topics=[{**clicks, "columns": columns, "ingest": {"scopes": [], "enrich": steps}}, USERS])


class Gate:
    async def caller(self, authorization: str | None) -> Caller:
        return Caller("someone", frozenset())


def test_an_event_is_enriched_before_it_is_judged(producer: RememberingProducer) -> None:
    with serve(producer, document(STEPS[:3]), verifier=Gate()) as client:
        answer = client.post("/v1/topics/clicks/events", content=EVENT, headers=JSON | {"x-request-id": "mine"})
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-request-id"] == "mine"
    value = json.loads(producer.records[0].value)
    assert value == {
        **json.loads(EVENT), "received_at": "2026-11-22T19:42:25.622Z", "request": "mine", "caller": "someone",
    }  # fmt: skip
    assert producer.records[0].value.startswith(EVENT[:-1])
    assert NOW == 1_795_376_545.622


JSON = {"content-type": "application/json"}


@pytest.mark.parametrize("sent", [None, "", "with space", "x" * 129])
def test_a_request_without_a_usable_id_gets_one(producer: RememberingProducer, sent: str | None) -> None:
    with serve(producer, document(STEPS[:3])) as client:
        headers = JSON | ({} if sent is None else {"x-request-id": sent})
        answer = client.post("/v1/topics/clicks/events", content=EVENT, headers=headers)
        refused = client.post("/v1/topics/nothing/events", content=EVENT, headers=headers)
    made = answer.headers["x-request-id"]
    assert len(made) == 32
    assert len(refused.headers["x-request-id"]) == 32
    value = json.loads(producer.records[0].value)
    assert (value["request"], value["caller"]) == (made, "anonymous")


def lookup_is_ready(client: TestClient) -> bool:
    return not any(part.startswith("lookup") for part in client.get("/readyz").json()["faults"])


def test_a_lookup_reads_the_compacted_topic_and_waits_until_it_has_caught_up(
    producer: RememberingProducer, broker: PaperBroker
) -> None:
    broker.add(b"u-1", b'{"user_id":"u-1","tier":"iron"}')
    broker.add(b"u-1", b'{"user_id":"u-1","tier":"gold"}')
    with serve(producer, document(STEPS)) as client:
        wait_until(lambda: lookup_is_ready(client), "the lookup to catch up")
        assert client.post("/v1/topics/clicks/events", content=EVENT, headers=JSON).status_code == 200
    assert json.loads(producer.records[0].value)["tier"] == "gold"


def test_ingest_is_not_open_before_its_lookups_are(producer: RememberingProducer) -> None:
    with serve(producer, document(STEPS)) as client:  # there is no broker
        answer = client.post("/v1/topics/clicks/events", content=EVENT, headers=JSON)
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:headrace:lookup-restoring")
        assert "lookup users" in client.get("/readyz").json()["faults"]
    assert producer.records == []
