"""Jobs on the session's real broker and Flink cluster: documents in, topics out.

Tests take `stream`: a job's world of its own (topics below a prefix), with the job documents of tests/golden/flink
rewritten to it. Every wait is for a condition, with a deadline.
"""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from tests.integration.flink.record_reading import Java, compiled

from headrace.local.background import Background
from headrace.local.environments import flink_jobs_folder, pyflink_home
from headrace.local.java import find_java
from headrace.local.parts.lock import read_lock

GOLDEN = Path(__file__).parents[2] / "golden" / "flink"
DEADLINE = 90.0  # seconds; generous, as two cores may be shared with others
Record = tuple[bytes | None, bytes | None]


def until(what: str, condition: Callable[[], Any], deadline: float = DEADLINE) -> Any:
    """The first truthy answer of `condition`; fails with `what` when none comes in time."""
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        if found := condition():
            return found
    raise AssertionError(f"in {deadline:.0f} s: {what}")


@dataclass
class Stream:
    """One test's topics and jobs. Names are those of the golden documents, `clickstream.…`."""

    kafka: str
    rest: str
    python: Path
    environ: dict[str, str]
    jars: Sequence[Path]
    folder: Path
    prefix: str
    jobs: list[str] = field(default_factory=list)

    def topic(self, name: str, partitions: int = 2) -> str:
        """The Kafka name of topic `name`, made if need be."""
        admin = AdminClient({"bootstrap.servers": self.kafka})
        kafka_name = f"{self.prefix}{name}"
        if kafka_name not in admin.list_topics(timeout=20).topics:
            admin.create_topics([NewTopic(kafka_name, partitions, 1)])[kafka_name].result(timeout=30)
        return kafka_name

    def document(self, golden: str, change: Callable[[str], str] = lambda text: text) -> Path:
        """The golden document in this test's world; `change` edits its text (JSON) before."""
        text = change((GOLDEN / f"{golden}.json").read_text())
        text = text.replace("clickstream.", self.prefix).replace("127.0.0.1:9092", self.kafka)
        text = text.replace("file:///var/lib/headrace/checkpoints", (self.folder / "checkpoints").as_uri())
        path = self.folder / f"{golden}-{uuid.uuid4().hex[:6]}.json"
        path.write_text(text)
        return path

    def run(self, *documents: Path, options: Sequence[str] = ()) -> list[dict[str, Any]]:
        """What the runner says about each document."""
        command = [str(self.python), "-m", "headrace_flink", "run", *map(str, documents)]
        command += ["--jobmanager", self.rest.removeprefix("http://"), *options]
        for jar in self.jars:
            command += ["--jar", str(jar)]
        done = subprocess.run(command, env=self.environ, capture_output=True, text=True, timeout=180, check=False)
        outcomes = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(outcomes) == len(documents), done.stderr
        assert done.returncode == (1 if any("error" in outcome for outcome in outcomes) else 0)
        self.jobs += [outcome["jobId"] for outcome in outcomes if outcome.get("jobId")]
        return outcomes

    def start(self, *documents: Path, options: Sequence[str] = ()) -> list[str]:
        """Job ids, once all their tasks run."""
        outcomes = self.run(*documents, options=options)
        assert all("jobId" in outcome for outcome in outcomes), outcomes
        ids = [outcome["jobId"] for outcome in outcomes]
        for job in ids:
            until(f"job {job} runs", partial(self.is_running, job))
        return ids

    def get(self, path: str) -> dict[str, Any]:
        answer: dict[str, Any] = httpx.get(self.rest + path, trust_env=False, timeout=20).json()
        return answer

    def is_running(self, job: str) -> bool:
        answer = self.get(f"/jobs/{job}")
        return answer["state"] == "RUNNING" and all(v["status"] == "RUNNING" for v in answer["vertices"])

    def checkpoint(self, job: str, after: int = 0) -> tuple[int, str]:
        """(id, path) of a checkpoint that was started after `after`, when it completes."""

        def newer() -> tuple[int, str] | None:
            latest = (self.get(f"/jobs/{job}/checkpoints").get("latest") or {}).get("completed")
            return (latest["id"], latest["external_path"]) if latest and latest["id"] > after else None

        found: tuple[int, str] = until(f"a checkpoint after {after}", newer)
        return found

    def settled(self, job: str) -> tuple[int, str]:
        """A checkpoint that covers everything that was done when this was called: the next but one."""
        return self.checkpoint(job, after=self.checkpoint(job)[0] + 1)

    def cancel(self, job: str) -> None:
        httpx.patch(f"{self.rest}/jobs/{job}?mode=cancel", trust_env=False, timeout=20)
        until(f"job {job} ends", lambda: self.get(f"/jobs/{job}")["state"] in ("CANCELED", "FAILED", "FINISHED"))
        if job in self.jobs:
            self.jobs.remove(job)

    def send(
        self, name: str, records: Sequence[Record], partition: int | None = None, timestamp: datetime | None = None
    ) -> None:
        producer = Producer(
            {"bootstrap.servers": self.kafka, "acks": "all", "partitioner": "murmur2_random", "linger.ms": 5}
        )
        where: dict[str, Any] = {} if partition is None else {"partition": partition}
        if timestamp is not None:
            where["timestamp"] = round(timestamp.timestamp() * 1000)
        topic = self.topic(name)
        for key, value in records:
            producer.produce(topic, value, key, headers=[("headrace.accepted", b"1")], **where)
        assert producer.flush(30) == 0

    def read(self, name: str, isolation: str = "read_committed") -> list[Message]:
        """Everything in the topic up to its present end for such a reader."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.kafka,
                "group.id": f"{self.prefix}reader-{uuid.uuid4().hex}",
                "isolation.level": isolation,
                "enable.auto.commit": False,
                "enable.partition.eof": True,
            }
        )
        kafka_name = self.topic(name)
        partitions = consumer.list_topics(kafka_name, timeout=20).topics[kafka_name].partitions
        consumer.assign([TopicPartition(kafka_name, partition, 0) for partition in partitions])
        found: list[Message] = []
        ended: set[int] = set()
        end = time.monotonic() + DEADLINE
        while len(ended) < len(partitions) and time.monotonic() < end:
            message = consumer.poll(1.0)
            if message is None:
                continue
            if message.error():
                ended.add(message.partition() or 0)
            else:
                found.append(message)
        consumer.close()
        return found

    def await_records(self, name: str, count: int, deadline: float = DEADLINE) -> list[Message]:
        """The topic's records once there are at least `count` for a read_committed reader."""
        found: list[Message] = until(
            f"{count} records in {name}",
            lambda: messages if len(messages := self.read(name)) >= count else None,
            deadline,
        )
        return found

    def await_counters(self, job: str, expected: dict[str, int]) -> None:
        """Until the job's outcome counters are these; the cluster collects them every few seconds."""
        seen: list[dict[str, int]] = [{}]

        def reached() -> bool:
            seen[0] = self.counters(job)
            return seen[0] == expected

        try:
            until("", reached, deadline=40)
        except AssertionError:
            assert seen[0] == expected

    def await_watermark(self, job: str, at: datetime) -> None:
        """Until all operators of the job that have an input have seen a watermark of `at` or later."""

        def passed() -> bool:
            marks = [int(value["min"]) for value in self.metrics(job, ".currentInputWatermark")]
            return bool(marks) and min(marks) >= at.timestamp() * 1000

        until(f"the watermark passes {at.isoformat()}", passed)

    def counters(self, job: str) -> dict[str, int]:
        """Sums of the job's outcome counters, by name without `headrace`."""
        totals: dict[str, int] = {}
        for value in self.metrics(job, ".headrace"):
            name = value["id"].rsplit(".headrace", 1)[1].lower()
            totals[name] = totals.get(name, 0) + int(value["sum"])
        return totals

    def metrics(self, job: str, part: str) -> list[dict[str, Any]]:
        """`id`, `sum`, `min` and `max` over the subtasks of every metric with `part` in its name."""
        found: list[dict[str, Any]] = []
        for vertex in self.get(f"/jobs/{job}")["vertices"]:
            path = f"/jobs/{job}/vertices/{vertex['id']}/subtasks/metrics"
            listed = httpx.get(self.rest + path, trust_env=False, timeout=20).json()
            names = [metric["id"] for metric in listed if part in metric["id"]]
            if names:
                wanted = {"get": ",".join(names)}
                found += httpx.get(self.rest + path, params=wanted, trust_env=False, timeout=20).json()
        return found


@pytest.fixture(scope="session")
def job_jars(services: Background, flink_python: Path) -> list[Path]:
    """Headrace's own jar, compiled here, and the Kafka connector."""
    site, parts = services.site, read_lock()
    (ecj,) = services.call(site.fetcher.fetch("the compiler", parts["ecj"]))
    connectors = services.call(site.fetcher.fetch("Flink's connectors", parts["flink-connectors"]))
    command = [str(flink_python), "-m", "headrace_flink.build", "--ecj", str(ecj)]
    command += ["--java", str(find_java(17, "the compiler").binary), "--out", str(site.folder("jars"))]
    for jar in connectors:
        command += ["--classpath-jar", str(jar)]
    environ = {**site.environ, "PYTHONPATH": str(flink_jobs_folder())}
    built = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert built.returncode == 0, built.stderr
    return [Path(built.stdout.strip()), *connectors]


@pytest.fixture(scope="session")
def format_java(
    services: Background, flink_python: Path, job_jars: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> Java:
    """Flink's formats without a cluster (record_reading.py)."""
    (ecj,) = services.call(services.site.fetcher.fetch("the compiler", read_lock()["ecj"]))
    flink = [jar for jar in (pyflink_home(flink_python) / "lib").glob("*.jar") if "planner-loader" not in jar.name]
    java = str(find_java(17, "Flink").binary)
    return compiled(java, ecj, [*job_jars, *sorted(flink)], tmp_path_factory.mktemp("probe"))


@pytest.fixture
def stream(  # noqa: PLR0917 - fixtures are named, not positional
    kafka: str, flink_cluster: Any, job_jars: list[Path], services: Background, topic_prefix: str, tmp_path: Path
) -> Iterator[Stream]:
    environ = {
        **services.site.environ,
        **flink_cluster.environ,
        "PYTHONPATH": str(flink_jobs_folder()),
        "JAVA_HOME": str(find_java(17, "Flink").binary.parent.parent),
        "JVM_ARGS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "FLINK_LOG_DIR": str(tmp_path),
    }
    world = Stream(kafka, flink_cluster.rest, flink_cluster.python, environ, job_jars, tmp_path, topic_prefix)
    yield world
    for job in list(world.jobs):
        world.cancel(job)
