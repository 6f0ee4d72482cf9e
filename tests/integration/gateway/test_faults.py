"""What an answer is worth: a broker killed under load, a gateway told to stop under load."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from headrace.local.background import Background

from .conftest import Gateway, wait_until

pytestmark = pytest.mark.integration


class Load:
    """Threads that post batches until told to stop, and remember which ids were acknowledged."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.accepted: set[str] = set()
        self.statuses: list[int] = []
        self.stopping = threading.Event()

    @contextmanager
    def running(self, threads: int = 4) -> Iterator[Load]:
        workers = [threading.Thread(target=self._send, args=(number,)) for number in range(threads)]
        for worker in workers:
            worker.start()
        try:
            yield self
        finally:
            self.stopping.set()
            for worker in workers:
                worker.join(90)

    def _send(self, number: int) -> None:
        headers = {"content-type": "application/json"}
        with self.gateway.client() as client:
            batch = 0
            while not self.stopping.is_set():
                batch += 1
                ids = [f"{number}-{batch}-{i}" for i in range(20)]
                body = json.dumps([{"event_id": name, "user_id": name} for name in ids])
                try:
                    answer = client.post("/v1/topics/clicks/events", content=body, headers=headers)
                except httpx.HTTPError:
                    return  # the gateway is gone, which only the test that stops it may see
                self.statuses.append(answer.status_code)
                # Also a 503 says which events of its batch are stored.
                accepted = [r["index"] for r in answer.json()["results"] if r["status"] == "accepted"]
                self.accepted.update(ids[index] for index in accepted)


def stored_ids(gateway: Gateway) -> set[str]:
    return {json.loads(record.value() or b"{}")["event_id"] for record in gateway.stored("clicks")}


def test_no_acknowledged_event_is_lost_when_the_broker_is_killed(gateway: Gateway, services: Background) -> None:
    broker = services.supervisor.running["kafka"]
    load = Load(gateway)
    with load.running():
        wait_until(lambda: len(load.accepted) > 500, "load before the kill")
        first = broker.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: broker.pid not in {None, first}, "another broker process")
        before = len(load.accepted)
        wait_until(lambda: len(load.accepted) > before + 500, "load after the kill")
    assert set(load.statuses) <= {200, 503}
    missing = load.accepted - stored_ids(gateway)
    assert not missing
    with gateway.client() as client:
        wait_until(lambda: client.get("/readyz").status_code == 200, "the gateway to be ready again")


def test_told_to_stop_it_answers_what_is_under_way_ends_streams_and_exits_with_0(gateway: Gateway) -> None:
    load = Load(gateway)
    accept = {"accept": "text/event-stream"}
    with gateway.client() as client, client.stream("GET", "/v1/topics/clicks/events", headers=accept) as stream:
        lines = stream.iter_lines()
        assert next(lines).startswith("retry")
        with load.running():
            wait_until(lambda: len(load.accepted) > 500, "load before the stop")
            began = time.monotonic()
            assert gateway.stop() == 0
            assert time.monotonic() - began < 30  # the drain's own bound, not a speed
        list(lines)  # the stream ends as it should, not by a broken connection
    assert set(load.statuses) == {200}
    assert load.accepted <= stored_ids(gateway)


def test_a_broker_that_is_away_shows_in_readyz_but_not_in_healthz(gateway: Gateway, services: Background) -> None:
    broker = services.supervisor.running["kafka"]
    pid = broker.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        with gateway.client() as client:
            wait_until(lambda: "kafka" in client.get("/readyz").json()["faults"], "the fault to show")
            assert client.get("/healthz").status_code == 200
            answer = client.post(
                "/v1/topics/clicks/events",
                content=b'{"event_id":"e","user_id":"u"}',
                headers={"content-type": "application/json"},
            )
            assert answer.status_code == 503
            assert answer.json()["results"][0]["status"] == "failed"
            assert client.get("/v1/topics/clicks/events").status_code == 503
    finally:
        os.kill(pid, signal.SIGCONT)
    with gateway.client() as client:
        wait_until(lambda: client.get("/readyz").status_code == 200, "the gateway to be ready again")
