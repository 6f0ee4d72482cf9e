"""Events through a real broker: stored as they were sent, read back in pages and as a stream."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from confluent_kafka import Producer

from .conftest import DEADLINE, Gateway, wait_until

pytestmark = pytest.mark.integration

CLICKS = "/v1/topics/clicks/events"


def event(i: int, user: str = "u-1") -> bytes:
    return b'{"event_id": "e%d", "user_id":"%s","n":%d}' % (i, user.encode(), i)


def post(client: httpx.Client, events: list[bytes], topic: str = "clicks") -> httpx.Response:
    body, media = (events[0], "application/json") if len(events) == 1 else (b"\n".join(events), "application/x-ndjson")
    return client.post(f"/v1/topics/{topic}/events", content=body, headers={"content-type": media})


def numbers(page: dict[str, Any]) -> list[int]:
    return [e["value"]["n"] for e in page["events"]]


def test_an_acknowledged_event_is_in_the_topic_with_key_headers_and_its_own_bytes(gateway: Gateway) -> None:
    with gateway.client() as client:
        answers = [post(client, [event(i, f"user-{i}") for i in range(50)]), post(client, [event(99, "ü/ 🙂")])]
    assert [a.status_code for a in answers] == [200, 200]
    told = {(r["partition"], r["offset"]) for a in answers for r in a.json()["results"]}
    records = gateway.stored("clicks")
    assert told == {(r.partition(), r.offset()) for r in records}
    assert {r.value() for r in records} == {*(event(i, f"user-{i}") for i in range(50)), event(99, "ü/ 🙂")}
    for record in records:
        value, key = record.value(), record.key()
        assert value is not None
        assert key is not None
        assert key.decode() == json.loads(value)["user_id"]
        headers: Any = dict(record.headers() or [])
        assert headers["headrace.schema"] == b"clicks/0"
        assert int(headers["headrace.accepted"]) == record.timestamp()[1]


def test_records_lie_where_a_java_producer_would_put_them(gateway: Gateway) -> None:
    """The partitions of Kafka's DefaultPartitioner (murmur2 of the key, without sign, modulo 3)."""
    with gateway.client() as client:
        for key, hashed in (("21", -973932308), ("foobar", -790332482), ("a-little-bit-long-string", -985981536)):
            (result,) = post(client, [event(1, key)]).json()["results"]
            assert result["partition"] == (hashed & 0x7FFFFFFF) % 3


def test_an_invalid_event_goes_to_the_dead_letters(gateway: Gateway) -> None:
    with gateway.client() as client:
        assert post(client, [b'{"event_id":1}'], "strays").status_code == 202
    (record,) = gateway.stored("dead-letters")
    headers: Any = dict(record.headers() or [])
    assert record.value() == b'{"event_id":1}'
    assert headers["headrace.dlq.topic"].decode() == gateway.prefix + "strays"
    assert gateway.stored("strays") == []


def test_pages_follow_their_cursor_over_all_partitions_to_the_end(gateway: Gateway) -> None:
    with gateway.client() as client:
        post(client, [event(i, f"user-{i}") for i in range(70)])
        seen: list[int] = []
        page = client.get(CLICKS, params={"limit": 20}).json()
        while page["events"]:
            assert len(page["events"]) <= 20
            seen += numbers(page)
            page = client.get(CLICKS, params={"limit": 20, "cursor": page["next"]}).json()
        assert sorted(seen) == list(range(70))
        end = page["next"]
        post(client, [event(70)])
        assert numbers(client.get(CLICKS, params={"cursor": end}).json()) == [70]


def test_a_read_begins_at_an_offset_a_time_or_the_end(gateway: Gateway) -> None:
    with gateway.client() as client:
        for i in range(3):
            (result,) = post(client, [event(i)]).json()["results"]
        where = {"partition": result["partition"]}
        first, second, third = client.get(CLICKS, params=where).json()["events"]
        assert numbers(client.get(CLICKS, params={**where, "offset": 1}).json()) == [1, 2]
        assert numbers(client.get(CLICKS, params={"timestamp": third["timestamp"]}).json())[-1:] == [2]
        assert numbers(client.get(CLICKS, params={"timestamp": "2100-01-01T00:00:00+02:00"}).json()) == []
        assert numbers(client.get(CLICKS, params={"from": "latest"}).json()) == []
        beyond = client.get(CLICKS, params={**where, "offset": 99})
        assert (beyond.status_code, beyond.json()["end"]) == (422, 3)
        assert [first["offset"], second["offset"]] == [0, 1]
        assert first["key"] == "u-1"
        assert first["headers"]["headrace.schema"] == "clicks/0"


def test_a_read_that_waits_answers_with_what_comes(gateway: Gateway) -> None:
    with gateway.client() as client:
        cursor = client.get(CLICKS, params={"from": "latest"}).json()["next"]
        for i in range(5):
            post(client, [event(i)])
            page = client.get(CLICKS, params={"cursor": cursor, "wait": 30}).json()
            assert numbers(page) == [i]
            cursor = page["next"]
        assert client.get(CLICKS, params={"cursor": cursor, "wait": 0.2}).json()["events"] == []


def test_only_committed_events_are_read(gateway: Gateway) -> None:
    writer = Producer({"bootstrap.servers": gateway.bootstrap, "transactional.id": gateway.prefix + "writer"})
    writer.init_transactions(DEADLINE)
    topic = gateway.prefix + "clicks"
    with gateway.client() as client:
        for i, end in ((1, writer.abort_transaction), (2, writer.commit_transaction)):
            writer.begin_transaction()
            writer.produce(topic, event(i), b"u-1")
            writer.flush()
            assert client.get(CLICKS).json()["events"] == []
            end()
        wait_until(lambda: numbers(client.get(CLICKS).json()) == [2], "the committed event")
        page = client.get(CLICKS).json()
        assert client.get(CLICKS, params={"cursor": page["next"]}).json()["events"] == []


class Stream:
    """Server-sent events as (id, value) pairs."""

    def __init__(self, answer: httpx.Response) -> None:
        assert answer.status_code == 200
        self.lines = answer.iter_lines()
        self.id = ""

    def next(self) -> Any:
        for line in self.lines:
            name, _, value = line.partition(": ")
            if name == "id":
                self.id = value
            elif name == "data":
                return json.loads(value)["value"]["n"]
        raise AssertionError("the stream ended")

    def opened(self) -> Stream:
        while not self.id:
            name, _, value = next(self.lines).partition(": ")
            self.id = value if name == "id" else ""
        return self


def test_a_stream_brings_what_comes_and_goes_on_where_it_was(gateway: Gateway) -> None:
    accept = {"accept": "text/event-stream"}
    with gateway.client() as client, gateway.client() as other:
        with client.stream("GET", CLICKS, headers=accept) as answer:
            stream = Stream(answer).opened()
            for i in range(20):
                post(other, [event(i, f"user-{i}")])
                assert stream.next() == i
            resume = stream.id
        post(other, [event(20, "user-20")])
        with client.stream("GET", CLICKS, headers={**accept, "last-event-id": resume}) as answer:
            assert Stream(answer).next() == 20
        with client.stream("GET", CLICKS, headers=accept, params={"from": "earliest"}) as answer:
            stream = Stream(answer)
            assert sorted(stream.next() for _ in range(21)) == list(range(21))


def test_a_client_that_goes_gives_its_reader_back_and_readers_are_bounded(gateway: Gateway) -> None:
    accept = {"accept": "text/event-stream"}

    def lent(client: httpx.Client) -> float:
        (line,) = [x for x in client.get("/metrics").text.splitlines() if x.startswith("headrace_gateway_readers ")]
        return float(line.split()[1])

    with gateway.client() as client:
        streams = []
        for _ in range(32):
            request = client.build_request("GET", CLICKS, headers=accept)
            streams.append(client.send(request, stream=True))
        assert lent(client) == 32
        busy = client.get(CLICKS, params={"wait": 1})
        assert (busy.status_code, busy.json()["type"]) == (503, "urn:headrace:readers-busy")
        for stream in streams:
            stream.close()
        wait_until(lambda: lent(client) == 0, "the readers to come back")
        assert client.get(CLICKS, params={"wait": 0.1}).status_code == 200
