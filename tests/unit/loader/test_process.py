"""The loader as a process: what it tells, how long it waits, and how it refuses what it cannot run."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from headrace_apps.loader.__main__ import main
from headrace_apps.loader.metrics import LoaderMetrics, Readiness, serve
from headrace_apps.runtime import State


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own http URL
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_metrics_and_readiness_are_on_one_port() -> None:
    metrics, readiness = LoaderMetrics("raw-clicks"), Readiness()
    server = serve(0, metrics, readiness)
    try:
        base = f"http://127.0.0.1:{server.server_port}"
        assert get(f"{base}/readyz") == (503, "waiting for the consumer group and Snowflake\n")
        readiness.joined = readiness.connected = True
        assert get(f"{base}/readyz")[0] == 200
        readiness.breaker = State.OPEN
        assert get(f"{base}/readyz") == (503, "waiting for Snowflake, which is away\n")
        metrics.count_batch({"read": 3, "loaded": 2, "duplicate": 1, "dead_lettered": 0}, seconds=0.2, at=1000.0)
        metrics.set_lag({0: 4, 1: 5})
        metrics.set_lag({1: 6})
        lines = get(f"{base}/metrics")[1].splitlines()
        assert 'headrace_loader_records_total{outcome="loaded",sink="raw-clicks"} 2.0' in lines
        assert 'headrace_loader_last_load_timestamp_seconds{sink="raw-clicks"} 1000.0' in lines
        assert 'headrace_loader_batch_seconds_count{sink="raw-clicks"} 1.0' in lines
        lag = [line for line in lines if line.startswith("headrace_loader_lag_records")]
        assert lag == ['headrace_loader_lag_records{partition="1",sink="raw-clicks"} 6.0']
        assert get(f"{base}/")[0] == 404
    finally:
        server.shutdown()
        server.server_close()


def test_a_document_that_is_none_is_refused_by_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "loader.json"
    file.write_text('{"document": "headrace.loader/v1", "colour": "blue"}')
    assert main(["--document", str(file), "--metrics-port", "0"]) == 1
    assert "colour" in caplog.text
    assert main(["--document", str(tmp_path / "none.json"), "--metrics-port", "0"]) == 1


def test_a_busy_port_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "loader.json"
    file.write_text(
        """{"pipeline": "p", "sink": "s", "kafka": {}, "groupId": "p.s", "deadLetterTopic": "p.dead-letters",
        "topic": {"name": "t", "kafkaTopic": "p.t", "compacted": false, "keyFields": []},
        "table": {"database": "D", "schema": "S", "name": "T"}, "columns": [], "fields": [],
        "snowflake": {"account": "a", "user": "u"}}"""
    )
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["--document", str(file), "--metrics-port", str(taken.getsockname()[1])]) == 3
    assert "cannot be had" in caplog.text
