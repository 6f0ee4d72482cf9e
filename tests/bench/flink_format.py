"""Events per CPU-second of the task manager: Headrace's source beside Flink's bare `kafka` + `json` without any route.

    python tests/bench/flink_format.py [--events 1500000] [--rounds 2]

Starts a broker and a Flink cluster of its own, writes the events once and reads them to the end with each variant in
turn; start of the job included. Machines drift, so only ratios of one run mean something. Not part of `make test`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from headrace.local import environments
from headrace.local.announce import line_announcer
from headrace.local.background import Background
from headrace.local.java import find_java
from headrace.local.parts.lock import read_lock
from headrace.local.services import flink, kafka
from headrace.local.site import open_site

TOPIC = "bench.clicks"
COLUMNS = "event_id STRING, user_id STRING, page STRING, referrer STRING, amount DOUBLE, occurred_at TIMESTAMP_LTZ(3)"
WATERMARK = "WATERMARK FOR occurred_at AS occurred_at - INTERVAL '0 00:00:05.000' DAY(3) TO SECOND(3)"
OURS = """, `_outcome` STRING, `_error` STRING, `_raw` BYTES, `_key` BYTES,
  `_headers` MAP<STRING, BYTES> METADATA FROM 'headers' VIRTUAL,
  `_partition` INT METADATA FROM 'partition' VIRTUAL, `_offset` BIGINT METADATA FROM 'offset' VIRTUAL"""
LATE = {"headrace.late.rule": "window", "headrace.late.kind": "tumble", "headrace.late.size": "60000 ms"}
ID = {"headrace.id.field": "event_id", "headrace.id.window": "600000 ms"}
PASS = "INSERT INTO results SELECT event_id, page, amount FROM clicks"
TUMBLE = """INSERT INTO results SELECT MAX(user_id), page, SUM(amount)
FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(occurred_at), INTERVAL '1' MINUTE)) GROUP BY page, window_start, window_end"""
LETTERS = """INSERT INTO letters SELECT `_key`, `_raw`, `_error`, CAST(`_headers` AS STRING), `_partition`, `_offset`
FROM source WHERE `_outcome` IN ('malformed', 'late')"""


def bare(bootstrap: str) -> list[str]:
    options = {"connector": "kafka", "value.format": "json", "value.json.timestamp-format.standard": "ISO-8601"}
    return [_table(COLUMNS, {**_common(bootstrap), **options}), "CREATE TEMPORARY VIEW clicks AS SELECT * FROM source"]


def ours(bootstrap: str, extra: dict[str, str]) -> list[str]:
    options = {
        "connector": "headrace",
        "key.format": "raw",
        "key.fields": "_key",
        "value.format": "headrace-json",
        "value.fields-include": "EXCEPT_KEY",
        "value.headrace-json.required": "event_id;user_id;page;occurred_at",
        **extra,
    }
    view = "CREATE TEMPORARY VIEW clicks AS SELECT event_id, user_id, page, referrer, amount, occurred_at FROM source"
    return [_table(COLUMNS + OURS, {**_common(bootstrap), **options}), f"{view} WHERE `_outcome` = 'row'"]


def _common(bootstrap: str) -> dict[str, str]:
    return {
        "topic": TOPIC,
        "properties.bootstrap.servers": bootstrap,
        "properties.group.id": "bench",
        "scan.startup.mode": "earliest-offset",
        "scan.bounded.mode": "latest-offset",
    }


def _table(columns: str, options: dict[str, str]) -> str:
    settings = ", ".join(f"'{key}' = '{value}'" for key, value in options.items())
    return f"CREATE TEMPORARY TABLE source ({columns}, {WATERMARK}) WITH ({settings})"


def variants(bootstrap: str) -> dict[str, tuple[list[str], list[str]]]:
    """Name → (statements, inserts); the first of each query is what the others are compared with."""
    found = {}
    for name, query in (("pass", PASS), ("tumble", TUMBLE)):
        late = LATE if name == "tumble" else {}
        found[f"{name}: kafka + json"] = (bare(bootstrap), [query])
        found[f"{name}: headrace"] = (ours(bootstrap, late), [query, LETTERS])
        found[f"{name}: headrace, ids"] = (ours(bootstrap, late | ID), [query, LETTERS])
    return found


def document(statements: list[str], inserts: list[str]) -> str:
    sinks = [
        "CREATE TEMPORARY TABLE results (a STRING, b STRING, c DOUBLE) WITH ('connector' = 'blackhole')",
        "CREATE TEMPORARY TABLE letters (k BYTES, v BYTES, e STRING, h STRING, p INT, o BIGINT)"
        " WITH ('connector' = 'blackhole')",
    ]
    config = {
        "pipeline.object-reuse": "true",
        "table.local-time-zone": "UTC",
        "state.backend.type": "hashmap",
        "execution.checkpointing.interval": "5 s",
        "execution.checkpointing.checkpoints-after-tasks-finish": "false",
    }
    return json.dumps(
        {"document": "headrace.job/v1", "name": "bench", "parallelism": 1, "config": config}
        | {"statements": statements + sinks, "inserts": inserts}
    )


def write_events(bootstrap: str, count: int) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})  # kept: its answers end with it
    admin.create_topics([NewTopic(TOPIC, 2, 1)])[TOPIC].result(30)
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20, "batch.size": 1 << 20})
    filler = "x" * 60
    for n in range(count):
        at = f"2026-11-22T{n // 360000 % 24:02d}:{n // 6000 % 60:02d}:{n // 100 % 60:02d}.{n % 100:02d}0Z"
        value = (
            f'{{"event_id":"{n:032x}","user_id":"user-{n % 9973}","page":"/products/{n % 100}",'
            f'"referrer":"https://example.org/{n % 17}","amount":{n % 997}.25,"occurred_at":"{at}",'
            f'"agent":"{filler}","session":{n % 4001}}}'
        )
        while True:
            try:
                producer.produce(TOPIC, value, f"user-{n % 9973}", headers=[("headrace.accepted", b"1")])
                break
            except BufferError:
                producer.poll(0.5)
    producer.flush()


def run(bench: Callable[..., dict[str, Any]], text: str, task_manager: psutil.Process, rest: str) -> float:
    """CPU-seconds of the task manager from submission to the end of the job."""
    before = task_manager.cpu_times()
    job = bench(text)["jobId"]
    while (state := httpx.get(f"{rest}/jobs/{job}", trust_env=False).json()["state"]) not in ("FINISHED", "FAILED"):
        time.sleep(0.3)
    if state != "FINISHED":
        raise SystemExit(f"the job ended as {state}: see the task manager's log")
    after = task_manager.cpu_times()
    return after.user + after.system - before.user - before.system


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_500_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", default="", help="variants whose name contains this")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as folder:
        site = open_site(Path(folder), line_announcer(sys.stderr))
        with Background(site) as services:
            measure(given, services, Path(folder))


def measure(given: argparse.Namespace, services: Background, folder: Path) -> None:
    site, parts = services.site, read_lock()
    services.start(services.call(kafka.kafka(site, services.spawner)))
    python = services.call(environments.make_environment(site, services.spawner, environments.flink_environment()))
    cluster = flink.flink_cluster(site, environments.pyflink_home(python))
    _, task_manager = services.start(cluster.job_manager, cluster.task_manager)
    (ecj,) = services.call(site.fetcher.fetch("ecj", parts["ecj"]))
    (connector,) = services.call(site.fetcher.fetch("connector", parts["flink-connectors"]))
    java = find_java(17, "Flink").binary
    environ = {**os.environ, **cluster.environ, "PYTHONPATH": str(environments.flink_jobs_folder())}
    environ |= {"JAVA_HOME": str(java.parent.parent), "FLINK_LOG_DIR": str(folder)}
    build = [str(python), "-m", "headrace_flink.build", "--ecj", str(ecj), "--classpath-jar", str(connector)]
    build += ["--java", str(java), "--out", str(folder / "jars")]
    jar = subprocess.run(build, env=environ, check=True, capture_output=True, text=True).stdout.strip()

    def submit(text: str) -> dict[str, Any]:
        path = folder / "bench.json"
        path.write_text(text)
        command = [
            str(python),
            "-m",
            "headrace_flink",
            "run",
            str(path),
            "--jobmanager",
            cluster.rest.removeprefix("http://"),
        ]
        command += ["--jar", jar, "--jar", str(connector)]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        answer: dict[str, Any] = json.loads(done.stdout)
        if "error" in answer:
            raise SystemExit(str(answer["error"]))
        return answer

    bootstrap = site.address("kafka")
    write_events(bootstrap, given.events)
    assert task_manager.pid is not None
    # The tether's child is the JVM itself.
    process = psutil.Process(task_manager.pid)
    process = next((child for child in process.children(recursive=True) if "java" in child.name()), process)
    best: dict[str, float] = {}
    for _ in range(given.rounds):
        for name, (statements, inserts) in variants(bootstrap).items():
            if given.only not in name:
                continue
            seconds = run(submit, document(statements, inserts), process, cluster.rest)
            best[name] = min(best.get(name, seconds), seconds)
            print(f"{name:24} {given.events / seconds / 1000:8.1f} k events per CPU-second", flush=True)
    print("\nbest of each")
    for name, seconds in best.items():
        base = best[next(other for other in best if other.split(":")[0] == name.split(":")[0])]
        print(f"{name:24} {given.events / seconds / 1000:8.1f} k   {100 * base / seconds:5.1f} %")


if __name__ == "__main__":
    main()
