"""Views of a real compacted topic: the latest value per key, deletes, paging, freshness, and restoring."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from confluent_kafka import Producer

from .conftest import Gateway, wait_until

pytestmark = pytest.mark.integration

VIEW = "/v1/views/by-day"


def total(page: str, views: int) -> bytes:
    return json.dumps({"page": page, "day": "2026-11-22", "views": views}).encode()


def post(client: httpx.Client, *totals: bytes) -> None:
    headers = {"content-type": "application/x-ndjson"}
    assert client.post("/v1/topics/totals/events", content=b"\n".join(totals), headers=headers).status_code == 200


def views_of(client: httpx.Client, key: str) -> Any:
    answer = client.get(f"{VIEW}/{key}")
    return answer.json()["value"]["views"] if answer.status_code == 200 else answer.status_code


def test_a_view_holds_the_latest_value_of_each_key(gateway: Gateway) -> None:
    with gateway.client() as client:
        assert views_of(client, "%2Fhome,2026-11-22") == 404
        post(client, total("/home", 1), total("/a,b", 7), total("/home", 2))
        wait_until(lambda: views_of(client, "%2Fhome,2026-11-22") == 2, "the second value")
        wait_until(lambda: views_of(client, "%2Fa%2Cb,2026-11-22") == 7, "the key with a comma")
        assert views_of(client, "/home,2026-11-22") == 2
        assert client.get(f"{VIEW}/a,b,c").status_code == 422
        content = client.get(f"{VIEW}/%2Fhome,2026-11-22").json()
        assert content["key"] == {"page": "/home", "day": "2026-11-22"}
        assert sum(content["offsets"].values()) == 3
        wait_until(lambda: client.get(VIEW).json()["ageMs"] < 3000, "a fresh view")

        producer = Producer({"bootstrap.servers": gateway.bootstrap})
        producer.produce(gateway.prefix + "totals", None, b'{"page":"/home","day":"2026-11-22"}')
        assert producer.flush(30) == 0
        wait_until(lambda: views_of(client, "%2Fhome,2026-11-22") == 404, "the tombstone")
        assert client.get(VIEW).json()["entries"][0]["path"] == "%2Fa%2Cb,2026-11-22"


def test_a_list_is_ordered_by_key_and_its_cursor_leads_through_all(gateway: Gateway) -> None:
    with gateway.client() as client:
        post(client, *(total(f"/p{i:03}", i) for i in range(50)))
        wait_until(lambda: len(client.get(VIEW).json()["entries"]) == 50, "all entries")
        listed: list[int] = []
        page = client.get(VIEW, params={"limit": 20}).json()
        while True:
            listed += [entry["value"]["views"] for entry in page["entries"]]
            if page["next"] is None:
                break
            page = client.get(VIEW, params={"limit": 20, "cursor": page["next"]}).json()
        assert listed == list(range(50))
        for entry in page["entries"]:
            assert views_of(client, entry["path"]) == entry["value"]["views"]


def test_a_new_process_restores_the_view_before_it_is_ready(gateway: Gateway) -> None:
    with gateway.client() as client:
        post(client, *(total(f"/p{i}", i) for i in range(200)), *(total("/p7", i) for i in range(100)))
    assert gateway.stop() == 0
    gateway.start()
    with gateway.client() as client:
        assert views_of(client, "%2Fp7,2026-11-22") == 99
        assert len(client.get(VIEW, params={"limit": 1000}).json()["entries"]) == 200


def test_scopes_guard_views_and_topics(gateway: Gateway) -> None:
    with gateway.client(scope="write") as client:
        assert client.get(VIEW).status_code == 403
        assert client.get("/v1/topics/clicks/events").status_code == 403
    with gateway.client(scope="read") as client:
        assert client.get(VIEW).status_code == 200
        headers = {"content-type": "application/json"}
        assert client.post("/v1/topics/totals/events", content=total("/", 1), headers=headers).status_code == 403
    assert httpx.get(gateway.url + VIEW, trust_env=False).status_code == 401
