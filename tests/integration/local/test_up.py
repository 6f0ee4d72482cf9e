"""`headrace up` on real parts: the whole life of a pipeline, as a user sees it, from another process."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

# Tests are not installed, and pytest's importlib mode puts no folder on the path: this is for the harness.
sys.path.append(str(Path(__file__).parents[3]))

from tests.children import die_with_parent
from tests.integration.local.up_harness import HEADRACE, Running, headrace, until

from headrace.local.ports import LOOPBACK

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

PIPELINE = """\
apiVersion: headrace.dev/v1alpha1
kind: StreamPipeline
metadata: {name: meters}
spec:
  topics:
    - name: readings
      partitions: 2
      keyFields: [meter]
      id: {field: reading_id, window: 1h}
      eventTime: {field: at, outOfOrderness: 1s}
      schema:
        format: JSON
        compatibility: BACKWARD
        definition: |
          {"type": "object", "required": ["reading_id", "meter", "watts", "at"], "properties": {
            "reading_id": {"type": "string"}, "meter": {"type": "string"}, "watts": {"type": "number"},
            "at": {"type": "string", "format": "date-time"}}}
    - name: high
      partitions: 2
      keyFields: [meter]
      schema:
        format: JSON
        definition: |
          {"type": "object", "required": ["reading_id", "meter", "watts"], "properties": {
            "reading_id": {"type": "string"}, "meter": {"type": "string"}, "watts": {"type": "number"}}}
  ingest:
    - {topic: readings}
  jobs:
    - name: high
      inputs: [readings]
      output: high
      guarantee: ExactlyOnce
      sql: SELECT reading_id, meter, watts FROM readings WHERE watts > 100
  sinks:
    - name: warehouse
      topic: high
      snowflake: {method: Loader, table: RAW.HIGH}
"""
ONE_MORE_TOPIC = PIPELINE.replace(
    "  ingest:",
    """\
    - name: notes
      schema:
        format: JSON
        definition: '{"type": "object", "properties": {"text": {"type": "string"}}}'
  ingest:""",
)
INCOMPATIBLE = PIPELINE.replace('"watts": {"type": "number"},', '"watts": {"type": "string"},', 1)


class Meters(Running):
    """An `up` of the pipeline above, and what its callers do."""

    def __init__(self, folder: Path, state: Path, *arguments: str) -> None:
        super().__init__(folder, state, *arguments, text=PIPELINE)

    def client(self) -> httpx.Client:
        return self.api("meters", "meters.readings:write", "meters.readings:read", "meters.high:read")

    def send(self, reading: str) -> None:
        """Accepted, however long the broker takes."""
        event = {"reading_id": reading, "meter": "m1", "watts": 230.5, "at": "2026-11-22T19:00:00Z"}
        with self.client() as api:
            until(lambda: api.post("/v1/topics/readings/events", json=event).is_success, f"{reading} is accepted")

    def results(self) -> list[str]:
        with self.client() as api:
            page = api.get("/v1/topics/high/events", params={"limit": 1000}).raise_for_status().json()
            return [event["value"]["reading_id"] for event in page["events"]]


@pytest.fixture(scope="module")
def state() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="headrace-up-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def running(state: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Meters]:
    up = Meters(tmp_path_factory.mktemp("up"), state)
    up.wait_up()
    yield up
    up.kill()


def test_an_event_goes_in_over_http_and_its_result_comes_out(running: Meters) -> None:
    running.send("first")
    until(lambda: "first" in running.results(), "the job's result")


def test_the_printed_curl_is_accepted_as_it_is(running: Meters) -> None:
    lines = running.printed().splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("  curl"))
    command = "\n".join(lines[start : start + 3]).replace("curl -sS", "curl -sS --fail-with-body")
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["accepted"] == 1


def test_nothing_listens_beyond_loopback(running: Meters) -> None:
    for process in running.descendants():
        with contextlib.suppress(psutil.NoSuchProcess):
            listening = {c.laddr.ip for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN}
            assert listening <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}, process.cmdline()


def test_a_topic_more_leaves_the_rest_untouched(running: Meters, tmp_path: Path) -> None:
    file = tmp_path / "more.yaml"
    file.write_text(ONE_MORE_TOPIC)
    before = {part["name"]: part["pid"] for part in running.status()["parts"]}
    done = headrace("up", "-f", file, "--state", running.state)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "+ topic/meters.notes" in done.stdout
    assert "topic/meters.notes created" in done.stdout
    after = {part["name"]: part["pid"] for part in running.status()["parts"]}
    assert {name for name in before if before[name] != after[name]} == {"gateway-meters"}
    assert headrace("up", "-f", file, "--state", running.state).stdout.startswith("Nothing to do")


def test_a_watched_manifest_is_applied_when_it_changes(running: Meters, tmp_path: Path) -> None:
    file, output = tmp_path / "watched.yaml", tmp_path / "watch.log"
    file.write_text(PIPELINE)
    command = [*HEADRACE, "up", "--watch", "-f", str(file), "--state", str(running.state)]
    with output.open("ab") as log:
        watcher = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, preexec_fn=die_with_parent)  # noqa: PLW1509 - one system call
    try:
        until(lambda: "watching" in output.read_text(), "the file is watched")
        before = {part["name"]: part["pid"] for part in running.status()["parts"]}
        file.write_text(PIPELINE.replace("watts > 100", "watts > 50"))
        until(lambda: "applied in " in output.read_text(), "the change is applied")
        assert "job/meters.high runs changed" in output.read_text()
        running.send("after a watched change")
        until(lambda: "after a watched change" in running.results(), "results of the changed job")
        assert {part["name"]: part["pid"] for part in running.status()["parts"]} == before

        file.write_text(PIPELINE.replace("watts > 100", "wats > 50"))
        until(lambda: "not all of it could be applied" in output.read_text(), "the mistake in the SQL is told")
        assert "there is no column 'wats' here (did you mean 'watts'?)" in output.read_text()
        file.write_text(PIPELINE.replace("topics:", "topicz:"))
        until(lambda: "what runs is left as it is" in output.read_text(), "the invalid edit is told")
        assert "watched.yaml:5:3: spec.topicz: is not a field here" in output.read_text()
        running.send("after two mistakes")
        until(lambda: "after two mistakes" in running.results(), "results go on")
    finally:
        watcher.kill()
        watcher.wait(timeout=30)
    assert headrace("up", "-f", running.file, "--state", running.state).returncode == 0


def test_an_incompatible_schema_is_refused_and_what_runs_goes_on(running: Meters, tmp_path: Path) -> None:
    file = tmp_path / "incompatible.yaml"
    file.write_text(INCOMPATIBLE)
    done = headrace("up", "-f", file, "--state", running.state)
    assert done.returncode == 1
    assert "meters.readings-value is not BACKWARD compatible" in done.stdout
    running.send("after a refusal")
    until(lambda: "after a refusal" in running.results(), "results go on")
    assert headrace("up", "-f", running.file, "--state", running.state).returncode == 0


@pytest.mark.parametrize(
    "part",
    [
        "kafka",
        "apicurio",
        "flink-taskmanager",
        "flink-jobmanager",
        "snowflake-stand-in",
        "loader-meters.warehouse",
        "gateway-meters",
    ],
)
def test_a_part_that_is_killed_comes_back_and_nothing_is_lost_or_repeated(running: Meters, part: str) -> None:
    running.send(f"before {part}")
    until(lambda: f"before {part}" in running.results(), "the result before the kill")
    seen = running.part(part)
    os.kill(seen["pid"], signal.SIGKILL)
    until(lambda: running.part(part)["restarts"] > seen["restarts"], f"{part} is started again")
    until(lambda: running.part(part)["state"] == "ready", f"{part} is ready again")
    assert f"{part} was killed (SIGKILL); starting it again" in running.printed()
    until(
        lambda: all(r["state"] in ("present", "running") for r in running.status()["resources"]),
        "every resource is as it was",
    )
    running.send(f"after {part}")
    until(lambda: f"after {part}" in running.results(), "the result after the kill")
    results = running.results()
    assert results.count(f"before {part}") == results.count(f"after {part}") == 1


def test_a_second_life_has_the_first_ones_results_and_goes_on(running: Meters, tmp_path: Path) -> None:
    before = running.results()
    done = headrace("down", "--state", running.state)
    assert (done.returncode, done.stdout) == (0, "stopped\n")
    assert running.process.wait(timeout=60) == 0
    again = Meters(tmp_path, running.state)
    again.wait_up()
    try:
        assert set(again.results()) == set(before)
        again.send("second life")
        until(lambda: "second life" in again.results(), "results go on")
        assert len(again.results()) == len(set(again.results())) == len(before) + 1
        again.process.send_signal(signal.SIGINT)
        assert again.process.wait(timeout=120) == 130
    finally:
        again.kill()


@pytest.mark.parametrize("moment", ["the lock is taken", "the broker starts", "the gateway serves"])
def test_nothing_outlives_an_up_that_is_killed(tmp_path: Path, moment: str) -> None:
    state = Path(tempfile.mkdtemp(prefix="headrace-kill-"))
    up = Meters(tmp_path, state)
    signs: dict[str, Callable[[], bool]] = {
        "the lock is taken": (state / "lock").exists,
        "the broker starts": (state / "logs" / "kafka.log").exists,
        "the gateway serves": lambda: "is served at" in up.printed(),
    }
    try:
        until(signs[moment], moment)
        up.kill()
        # Whatever the run had started carries its state folder in its command line or works in it.
        until(lambda: not _working_in(state), "no process is left", 60)
    finally:
        up.kill()
        shutil.rmtree(state, ignore_errors=True)


def _working_in(state: Path) -> list[int]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and str(state) in " ".join(
                [*process.cmdline(), process.cwd(), *process.environ().values()]
            ):
                found.append(process.pid)
    return found


def test_a_busy_port_ends_the_start_with_who_uses_it(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen()
        port = listener.getsockname()[1]
        up = Meters(tmp_path, tmp_path / "state", "--kafka-port", str(port))
        assert up.process.wait(timeout=120) == 3
    assert re.search(rf"port {port} for kafka is in use by \S+ \(pid {os.getpid()}\)", up.printed())
    assert "Traceback" not in up.printed()
