"""Flink's pushed metrics are served on loopback; what a killed process pushed last is forgotten."""

from __future__ import annotations

import socket

import httpx

from headrace.local.flink_metrics import STALE_SECONDS, PushedMetrics, served
from headrace.local.ports import LOOPBACK


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def test_what_is_pushed_is_served_until_it_is_taken_back() -> None:
    port = free_port()
    url = f"http://{LOOPBACK}:{port}"
    with served(PushedMetrics(), port), httpx.Client(trust_env=False) as client:
        assert client.put(f"{url}/metrics/job/flink1", content=b"a 1\n").status_code == 202
        assert client.post(f"{url}/metrics/job/flink2", content=b"b 2\n").status_code == 202
        assert client.get(f"{url}/metrics").text == "a 1\nb 2\n"
        client.delete(f"{url}/metrics/job/flink1")
        assert client.get(f"{url}/metrics").text == "b 2\n"
        assert client.get(f"{url}/other").status_code == 404


def test_what_was_pushed_long_ago_is_forgotten() -> None:
    now = [0.0]
    metrics = PushedMetrics(lambda: now[0])
    metrics.push("old", b"old 1\n")
    now[0] = STALE_SECONDS
    metrics.push("new", b"new 1\n")
    assert metrics.text() == b"new 1\nold 1\n"
    now[0] = STALE_SECONDS + 1
    assert metrics.text() == b"new 1\n"
