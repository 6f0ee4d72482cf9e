"""POST events over HTTP: what is stored, what is answered, and what hostile requests get."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
import zstandard
from starlette.testclient import TestClient

from headrace_apps.gateway.limits import Limits
from headrace_apps.gateway.producer import NotStored

from .conftest import EVENT, NOW, RememberingProducer, make_document, serve

URL = "/v1/topics/clicks/events"
JSON = {"content-type": "application/json"}
NDJSON = {"content-type": "application/x-ndjson"}
OTHER = EVENT.replace(b"u-1", b"u-2")
BAD = b'{"event_id":"x"}'


def test_one_event_is_stored_as_its_own_bytes_under_its_key(client: TestClient, producer: RememberingProducer) -> None:
    spaced = EVENT.replace(b":", b" : ", 1)
    answer = client.post(URL, content=b"\n  " + spaced + b" \n", headers=JSON)
    assert answer.status_code == 200
    (record,) = producer.records
    assert (record.topic, record.key, record.value) == ("p.clicks", b"u-1", spaced)
    assert dict(record.headers) == {
        "headrace.schema": b"p.clicks-value/ab",
        "headrace.accepted": str(int(NOW * 1000)).encode(),
    }
    assert producer.timestamps == [int(NOW * 1000)]
    (result,) = answer.json()["results"]
    assert result["status"] == "accepted"
    assert result["offset"] == 0
    assert answer.json()["topic"] == "clicks"


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"[" + EVENT + b" ,\n" + OTHER + b"]", JSON),
        (b"[" + EVENT + b"," + OTHER + b"]", {"content-type": "Application/JSON; charset=utf-8"}),
        (EVENT + b"\n" + OTHER, NDJSON),
        (b"\r\n" + EVENT + b"\r\n\r\n" + OTHER + b"\r\n \n", NDJSON),
        (gzip.compress(EVENT + b"\n") + gzip.compress(OTHER), {**NDJSON, "content-encoding": "gzip"}),
        (zstandard.compress(EVENT + b"\n" + OTHER), {**NDJSON, "content-encoding": "ZSTD"}),
    ],
)
def test_batches_come_as_arrays_or_lines_compressed_or_not(
    client: TestClient, producer: RememberingProducer, body: bytes, headers: dict[str, str]
) -> None:
    answer = client.post(URL, content=body, headers=headers)
    assert answer.json()["accepted"] == 2
    assert [record.value for record in producer.records] == [EVENT, OTHER]


def test_where_some_are_refused_each_event_has_its_result(client: TestClient, producer: RememberingProducer) -> None:
    lines = [EVENT, b"{", BAD, OTHER.replace(b"Z", b"")]
    answer = client.post(URL, content=b"\n".join(lines), headers=NDJSON)
    assert answer.status_code == 200
    content = answer.json()
    assert (content["accepted"], content["refused"]) == (1, 3)
    assert [r["status"] for r in content["results"]] == ["accepted", "refused", "refused", "refused"]
    assert [r["index"] for r in content["results"]] == [0, 1, 2, 3]
    assert {e["pointer"] for e in content["results"][2]["errors"]} == {"", "/event_id"}
    assert content["results"][3]["errors"][0]["pointer"] == "/occurred_at"
    assert len(producer.records) == 1


def test_where_all_are_refused_it_is_a_422_problem(client: TestClient, producer: RememberingProducer) -> None:
    answer = client.post(URL, content=BAD, headers=JSON)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:headrace:invalid-events"
    assert answer.json()["results"][0]["errors"]
    assert producer.records == []


def test_an_invalid_event_of_a_dead_letter_topic_is_kept_with_its_bytes(
    client: TestClient, producer: RememberingProducer
) -> None:
    answer = client.post("/v1/topics/strays/events", content=b"\n".join([EVENT, b"not json", BAD]), headers=NDJSON)
    assert answer.status_code == 202
    assert (answer.json()["accepted"], answer.json()["deadLettered"]) == (1, 2)
    _, malformed, invalid = producer.records
    assert (malformed.topic, malformed.value, malformed.key) == ("p.dead-letters", b"not json", None)
    headers = dict(malformed.headers)
    assert headers["headrace.dlq.stage"] == b"gateway"
    assert headers["headrace.dlq.reason"] == b"Malformed"
    assert headers["headrace.dlq.topic"] == b"p.strays"
    assert headers["headrace.dlq.attempt"] == b"1"
    assert headers["headrace.dlq.time"] == b"2026-11-22T19:42:25.622Z"
    assert dict(invalid.headers)["headrace.dlq.reason"] == b"SchemaInvalid"


def test_a_broker_outage_is_a_503_that_says_which_events_to_send_again(
    client: TestClient, producer: RememberingProducer
) -> None:
    producer.fate = lambda value: NotStored("timed out") if value == OTHER else None
    answer = client.post(URL, content=b"[" + EVENT + b"," + OTHER + b"]", headers=JSON)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert [r["status"] for r in answer.json()["results"]] == ["accepted", "failed"]
    assert "same ids" in answer.json()["detail"]


def test_an_event_that_the_broker_will_never_take_is_refused_not_failed(
    client: TestClient, producer: RememberingProducer
) -> None:
    producer.fate = lambda _: NotStored("too large", too_large=True)
    assert client.post(URL, content=EVENT, headers=JSON).status_code == 422
    assert client.post("/v1/topics/strays/events", content=b"{}", headers=JSON).status_code == 422


@pytest.mark.parametrize(
    ("body", "headers", "status", "kind"),
    [
        (b"", JSON, 400, "no-events"),
        (b"[]", JSON, 400, "no-events"),
        (b"\r\n\n", NDJSON, 400, "no-events"),
        (b"[" + EVENT, JSON, 400, "not-json"),
        (b"[" * 100_000, JSON, 400, "not-json"),
        (b"\xff\xfe", JSON, 422, "invalid-events"),
        (b'{"a":1e400}', JSON, 422, "invalid-events"),
        (b'{"a":"\\ud800"}', JSON, 422, "invalid-events"),
        (b'{"a":' * 5_000 + b"}" * 5_000, JSON, 422, "invalid-events"),
        (b'{"a":1,"a":1}', JSON, 422, "invalid-events"),
        (b"null", JSON, 422, "invalid-events"),
        (EVENT, {"content-type": "text/plain"}, 415, "unknown-media-type"),
        (EVENT, {}, 415, "unknown-media-type"),
        (EVENT, {**JSON, "content-encoding": "br"}, 415, "unknown-encoding"),
        (EVENT, {**JSON, "content-encoding": "gzip"}, 400, "bad-encoding"),
        (EVENT, {**JSON, "content-encoding": "zstd"}, 400, "bad-encoding"),
        (gzip.compress(EVENT)[:-12], {**JSON, "content-encoding": "gzip"}, 400, "bad-encoding"),
        (gzip.compress(EVENT) + b"{}", {**JSON, "content-encoding": "gzip"}, 400, "bad-encoding"),
        (gzip.compress(b"") * 500_000, {**JSON, "content-encoding": "gzip"}, 400, "bad-encoding"),
        (zstandard.compress(b"") * 1_000_000, {**JSON, "content-encoding": "zstd"}, 400, "bad-encoding"),
        (zstandard.compress(EVENT)[:-1], {**JSON, "content-encoding": "zstd"}, 400, "bad-encoding"),
        (
            zstandard.compress(EVENT) + zstandard.compress(EVENT)[:9],
            {**JSON, "content-encoding": "zstd"},
            400,
            "bad-encoding",
        ),
        (gzip.compress(b" " * 50_000_000), {**JSON, "content-encoding": "gzip"}, 413, "body-too-large"),
        (zstandard.compress(b" " * 50_000_000), {**JSON, "content-encoding": "zstd"}, 413, "body-too-large"),
        (b" " * (10 * 1024 * 1024 + 1), JSON, 413, "body-too-large"),
        (b"{}\n" * 10_001, NDJSON, 413, "too-many-events"),
    ],
)
def test_hostile_bodies_are_refused_and_nothing_is_stored(  # noqa: PLR0917
    client: TestClient, producer: RememberingProducer, body: bytes, headers: dict[str, str], status: int, kind: str
) -> None:
    answer = client.post(URL, content=body, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:headrace:{kind}")
    assert answer.headers["content-type"] == "application/problem+json"
    assert producer.records == []


def test_a_length_in_other_digits_is_no_length(client: TestClient) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"\xb2")]
    assert client.post(URL, content=EVENT, headers=headers).status_code == 200


def test_an_event_larger_than_a_record_is_refused_alone(producer: RememberingProducer) -> None:
    large = EVENT.replace(b"u-1", b"u" * 2000)
    with serve(producer, limits=Limits(max_event=1000)) as client:
        answer = client.post(URL, content=b"[" + large + b"," + EVENT + b"]", headers=JSON)
    assert [r["status"] for r in answer.json()["results"]] == ["refused", "accepted"]
    assert "2" in answer.json()["results"][0]["errors"][0]["message"]


def test_a_full_gateway_answers_429_before_it_stores_anything(producer: RememberingProducer) -> None:
    with serve(producer, limits=Limits(max_events_in_flight=10, max_bytes_in_flight=1000)) as client:
        assert client.post(URL, content=b"[" + b",".join([EVENT] * 8) + b"]", headers=JSON).status_code == 200
        producer.in_flight = 5
        busy = client.post(URL, content=b"[" + b",".join([EVENT] * 8) + b"]", headers=JSON)
        large = client.post(URL, content=b" " * 1001, headers=JSON)
        after = client.post(URL, content=EVENT, headers=JSON)
    assert (busy.status_code, large.status_code, after.status_code) == (429, 429, 200)
    assert busy.headers["retry-after"] == "1"


def test_a_large_batch_is_judged_whole_and_in_order(client: TestClient, producer: RememberingProducer) -> None:
    events = [EVENT.replace(b"u-1", b"u-%d" % i) if i % 7 else b"{}" for i in range(3000)]
    content = client.post(URL, content=b"\n".join(events), headers=NDJSON).json()
    assert [r["status"] for r in content["results"]] == ["accepted" if i % 7 else "refused" for i in range(3000)]
    assert [r.value for r in producer.records] == [e for i, e in enumerate(events) if i % 7]


def test_a_key_of_several_fields_is_their_compact_object_with_times_in_utc(producer: RememberingProducer) -> None:
    document = make_document()
    topic = document.topics[0].model_copy(update={"key_fields": ("occurred_at", "user_id")})
    with serve(producer, document.model_copy(update={"topics": (topic,)})) as client:
        event = EVENT.replace(b"19:01:00Z", b"20:01:00.120+01:00")
        assert client.post(URL, content=event, headers=JSON).status_code == 200
    assert producer.records[0].key == b'{"occurred_at":"2026-11-22T19:01:00.12Z","user_id":"u-1"}'
    assert producer.records[0].value == event


def test_a_key_field_that_is_missing_is_refused_by_name(producer: RememberingProducer) -> None:
    document = make_document()
    topic = document.topics[0].model_copy(update={"key_fields": ("dwell_ms",)})
    with serve(producer, document.model_copy(update={"topics": (topic,)})) as client:
        answer = client.post(URL, content=EVENT, headers=JSON)
    assert answer.json()["results"][0]["errors"][0]["pointer"] == "/dwell_ms"


def test_a_405_names_all_methods_of_the_path(client: TestClient) -> None:
    assert {"GET", "POST"} <= set(client.delete(URL).headers["allow"].split(", "))


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/topics/nothing/events", 404),
        ("POST", "/v1/topics/results/events", 405),
        ("GET", "/v1/topics/nothing/events", 404),
        ("DELETE", URL, 405),
        ("GET", "/v1", 404),
        ("GET", "/docs", 404),
        ("GET", "/v1/views/none", 404),
        ("GET", URL + "?limit=0", 422),
        ("GET", URL + "?limit=x", 422),
        ("GET", URL + "?wait=nan", 422),
        ("GET", URL + "?offset=3", 422),
        ("GET", URL + "?from=middle", 422),
        ("GET", URL + "?cursor=0-1&from=latest", 422),
        ("GET", URL + "?cursor=9-1", 422),
        ("GET", URL + "?cursor=0-1_0-2", 422),
        ("GET", URL + "?timestamp=2026-11-22T19:01:00", 422),
        ("GET", URL + "?partition=6", 422),
        ("GET", URL, 503),
    ],
)
def test_every_error_is_a_problem(client: TestClient, method: str, path: str, status: int) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert answer.json()["detail"]


def test_the_page_at_openapi_json_holds_examples_that_the_gateway_accepts(
    client: TestClient, producer: RememberingProducer
) -> None:
    page = client.get("/openapi.json").json()
    assert page["openapi"] == "3.1.0"
    post = page["paths"]["/v1/topics/clicks/events"]["post"]
    for example in post["requestBody"]["content"]["application/json"]["examples"].values():
        answer = client.post(URL, content=json.dumps(example["value"]), headers=JSON)
        assert answer.json()["refused"] == 0
    assert "post" not in page["paths"]["/v1/topics/results/events"]
    assert {"200", "422", "429", "503"} <= set(post["responses"])
    assert "202" in page["paths"]["/v1/topics/strays/events"]["post"]["responses"]


def test_metrics_count_every_event_by_its_outcome(client: TestClient, producer: RememberingProducer) -> None:
    client.post(URL, content=EVENT + b"\n{}\n", headers=NDJSON)
    client.post("/v1/topics/strays/events", content=b"{}", headers=JSON)
    text = client.get("/metrics").text
    counted: dict[tuple[str, str], Any] = {}
    for line in text.splitlines():
        if line.startswith("headrace_gateway_events_total{"):
            labels, value = line.removeprefix("headrace_gateway_events_total{").split("} ")
            outcome, topic = (part.split('"')[1] for part in sorted(labels.split(",")))
            counted[topic, outcome] = float(value)
    assert counted["clicks", "accepted"] == counted["clicks", "refused"] == 1
    assert counted["strays", "dead_lettered"] == 1
    assert counted["clicks", "failed"] == 0
    assert 'headrace_gateway_ack_seconds_count{topic="clicks"} 1.0' in text
    assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200
