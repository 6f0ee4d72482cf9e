"""Views of a real compacted topic: the latest value per key, deletes, stretches and paging, freshness, and restoring."""

from __future__ import annotations

import json
import random
import re
from typing import Any

import httpx
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions

from .conftest import Gateway, wait_until

pytestmark = pytest.mark.integration

VIEW = "/v1/views/by-day"
OFFSETS, MIN_OFFSETS = "Headrace-Offsets", "Headrace-Min-Offsets"


def total(page: str, views: int, day: str = "2026-11-22") -> bytes:
    return json.dumps({"page": page, "day": day, "views": views}).encode()


def post(client: httpx.Client, *totals: bytes) -> dict[str, str]:
    """Stored; the header with which a view shows them."""
    headers = {"content-type": "application/x-ndjson"}
    answer = client.post("/v1/topics/totals/events", content=b"\n".join(totals), headers=headers)
    assert answer.status_code == 200
    ends: dict[int, int] = {}
    for result in answer.json()["results"]:
        ends[result["partition"]] = max(ends.get(result["partition"], 0), result["offset"] + 1)
    return {MIN_OFFSETS: ",".join(f"{partition}:{end}" for partition, end in ends.items())}


def views_of(client: httpx.Client, key: str, headers: dict[str, str] | None = None) -> Any:
    answer = client.get(f"{VIEW}/{key}", headers=headers)
    return answer.json()["value"]["views"] if answer.status_code == 200 else answer.status_code


def test_a_view_holds_the_latest_value_of_each_key(gateway: Gateway) -> None:
    with gateway.client() as client:
        assert views_of(client, "%2Fhome,2026-11-22") == 404
        # Who sends the offsets of what was stored is shown it, at the first try.
        seen = post(client, total("/home", 1), total("/a,b", 7), total("/home", 2))
        assert views_of(client, "%2Fhome,2026-11-22", seen) == 2
        assert views_of(client, "%2Fa%2Cb,2026-11-22", seen) == 7
        assert views_of(client, "/home,2026-11-22") == 2
        assert client.get(f"{VIEW}/a,b,c").status_code == 422
        answer = client.get(f"{VIEW}/%2Fhome,2026-11-22")
        content = answer.json()
        assert content["key"] == {"page": "/home", "day": "2026-11-22"}
        assert sum(content["offsets"].values()) == 3
        assert answer.headers[OFFSETS] == ",".join(f"{p}:{o}" for p, o in content["offsets"].items())
        wait_until(lambda: client.get(VIEW).json()["ageMs"] < 3000, "a fresh view")

        behind = client.get(VIEW, headers={MIN_OFFSETS: "0:1000000"})
        assert (behind.status_code, behind.json()["type"]) == (503, "urn:headrace:view-behind")
        assert behind.headers["Retry-After"] == "1"

        producer = Producer({"bootstrap.servers": gateway.bootstrap})
        producer.produce(gateway.prefix + "totals", None, b'{"page":"/home","day":"2026-11-22"}')
        assert producer.flush(30) == 0
        wait_until(lambda: views_of(client, "%2Fhome,2026-11-22") == 404, "the tombstone")
        assert client.get(VIEW).json()["entries"][0]["path"] == "%2Fa%2Cb,2026-11-22"


def test_many_keys_prefixes_ranges_and_pages(gateway: Gateway) -> None:
    days = [f"2026-11-{day:02}" for day in range(1, 21)]
    with gateway.client() as client:
        made = [
            total(page, 100 * p + d, day) for p, page in enumerate(("/a", "/b", "/c")) for d, day in enumerate(days)
        ]
        seen = post(client, *made)

        def listed(**params: Any) -> list[int]:
            found: list[int] = []
            cursor: dict[str, str] = {}
            while True:
                answer = client.get(VIEW, params={"limit": 7, **params, **cursor}, headers=seen).json()
                found += [entry["value"]["views"] for entry in answer["entries"]]
                if answer["next"] is None:
                    return found
                cursor = {"cursor": answer["next"]}

        assert listed() == [100 * p + d for p in range(3) for d in range(20)]
        assert listed(prefix="/b") == [100 + d for d in range(20)]
        assert listed(prefix=["/b", "2026-11-03"]) == [102]
        assert listed(prefix="/b", **{"from": "2026-11-05", "to": "2026-11-15"}) == [100 + d for d in range(4, 14)]
        assert listed(**{"from": "/b"}) == [100 * p + d for p in (1, 2) for d in range(20)]
        for wrong in ({"prefix": ["/b", "2026-11-03", "x"]}, {"prefix": ["/b", "nov"]}, {"cursor": "%"}):
            assert client.get(VIEW, params=wrong).status_code == 422
        asked = ["%2Fc,2026-11-02", {"day": "2026-11-01", "page": "/a"}, "none,2026-11-01"]
        answer = client.post(VIEW, json={"keys": asked})
        assert [entry and entry["value"]["views"] for entry in answer.json()["entries"]] == [201, 0, None]
        assert answer.headers[OFFSETS]
        assert client.post(VIEW, json={"keys": ["one field"]}).status_code == 422


def test_a_view_goes_on_from_its_store_after_a_kill_and_reads_partitions_that_are_added(gateway: Gateway) -> None:
    expected: dict[str, int] = {}
    chance = random.Random(4)
    with gateway.client() as client:
        for _ in range(3):
            made = {f"/p{chance.randrange(300)}": chance.randrange(10**6) for _ in range(400)}
            expected |= made
            seen = post(client, *(total(page, views) for page, views in made.items()))
        wait_until(lambda: client.get(VIEW, headers=seen).status_code == 200, "all of it to be read")
    gateway.kill()
    gateway.start()
    (line,) = re.findall(r"reads \S+totals from (.*)", gateway.log)
    starts = [int(place.split("@")[1]) for place in line.split(", ")]
    assert sum(starts) > 0, "from where it stopped, not from the beginning"

    def content(client: httpx.Client) -> dict[str, int]:
        entries = client.get(VIEW, params={"limit": 1000}, headers=seen).json()["entries"]
        return {entry["value"]["page"]: entry["value"]["views"] for entry in entries}

    topic = gateway.prefix + "totals"
    with gateway.client() as client:
        assert content(client) == expected
        admin = AdminClient({"bootstrap.servers": gateway.bootstrap})
        admin.create_partitions([NewPartitions(topic, 5)])[topic].result(30)
        producer = Producer({"bootstrap.servers": gateway.bootstrap})
        wait_until(lambda: len(producer.list_topics(topic).topics[topic].partitions) == 5, "the new partitions")
        producer.produce(topic, total("/new", 1), b'{"page":"/new","day":"2026-11-22"}', partition=4)
        assert producer.flush(30) == 0
        wait_until(lambda: views_of(client, "%2Fnew,2026-11-22") == 1, "what is in a new partition")
        assert "4" in client.get(VIEW).json()["offsets"]


def test_scopes_guard_views_and_topics(gateway: Gateway) -> None:
    with gateway.client(scope="write") as client:
        assert client.get(VIEW).status_code == 403
        assert client.post(VIEW, json={"keys": []}).status_code == 403
        assert client.get("/v1/topics/clicks/events").status_code == 403
    with gateway.client(scope="read") as client:
        assert client.get(VIEW).status_code == 200
        headers = {"content-type": "application/json"}
        assert client.post("/v1/topics/totals/events", content=total("/", 1), headers=headers).status_code == 403
    assert httpx.get(gateway.url + VIEW, trust_env=False).status_code == 401
