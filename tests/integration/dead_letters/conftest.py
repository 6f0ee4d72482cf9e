"""A pipeline's topics on the session's broker, letters in them, and an `up` that only answers `status`.

What is killed runs as a process of its own, as a user starts it, and ends with the test.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)
from confluent_kafka.cimpl import NewTopic
from typer.testing import CliRunner

# Tests are not installed, and pytest's importlib mode puts no folder on the path: this is for the harness.
sys.path.append(str(Path(__file__).parents[3]))

from tests.children import die_with_parent

from headrace.cli.main import app
from headrace.core.dead_letter import Origin, Reason, envelope_headers
from headrace.local.control import Say, serving
from headrace_apps.dead_letters.archive import fetch_archive
from headrace_apps.inspection.records import Record
from headrace_apps.inspection.scan import Scan

DEADLINE = 90.0
ORDER: dict[str, Any] = {
    "type": "object",
    "required": ["id", "user"],
    "properties": {"id": {"type": "string"}, "user": {"type": "string"}, "amount": {"type": "integer", "minimum": 0}},
}


def wait_until(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + DEADLINE
    pause = threading.Event()
    while not holds():
        if time.monotonic() > end:
            pytest.fail(f"waited {DEADLINE:g} s for: {what}")
        pause.wait(0.02)


@dataclass
class Shop:
    """A pipeline `name` with a topic `orders` of three partitions and its dead letters, of one."""

    bootstrap: str
    state: Path
    name: str = field(default_factory=lambda: f"t{uuid.uuid4().hex[:10]}")
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def orders(self) -> str:
        return f"{self.name}.orders"

    @property
    def letters(self) -> str:
        return f"{self.name}.dead-letters"

    @property
    def kafka(self) -> dict[str, str]:
        return {"bootstrap.servers": self.bootstrap}

    def document(self) -> dict[str, Any]:
        kinds = {"id": "STRING", "user": "STRING", "amount": "BIGINT"}
        return {
            "pipeline": self.name,
            "kafka": self.kafka,
            "auth": {"issuer": "i", "audience": "a", "hs256SecretFile": "none"},
            "deadLetterTopic": self.letters,
            "topics": [
                {
                    "name": "orders",
                    "kafkaTopic": self.orders,
                    "partitions": 3,
                    "compacted": False,
                    "keyFields": ["user"],
                    "idField": "id",
                    "schema": {"format": "JSON", "subject": "o", "identity": "o/0", "definition": ORDER},
                    "columns": [
                        {"name": name, "type": {"kind": kind}, "required": name != "amount"}
                        for name, kind in kinds.items()
                    ],
                    "ingest": {"scopes": ["write"], "onInvalid": "DeadLetter"},
                    "readScopes": ["read"],
                }
            ],
        }

    def make(self) -> None:
        (self.state / "documents").mkdir(parents=True)
        (self.state / "documents" / f"gateway-{self.name}.json").write_text(json.dumps(self.document()))
        wanted = [NewTopic(self.orders, 3, 1), NewTopic(self.letters, 1, 1)]
        admin = AdminClient({"bootstrap.servers": self.bootstrap})  # held: its end would end the request
        for made in admin.create_topics(wanted).values():
            made.result(DEADLINE)

    def dead_letter(self, values: Sequence[bytes], stage: str = "job/count", reason: Reason = Reason.LATE) -> None:
        """One letter for each value, as a stage writes it: the key is `user-<n>`."""
        producer = Producer({**self.kafka, "linger.ms": 5})
        for index, value in enumerate(values):
            gateway = stage == "gateway"
            headers: Any = envelope_headers(
                [("trace", f"t{index}")],
                stage=stage,
                reason=reason,
                error="as the test wants it",
                origin=Origin(self.orders) if gateway else Origin(self.orders, index % 3, index),
                time=datetime.now(UTC),
            )
            producer.produce(self.letters, value, None if gateway else f"user-{index}".encode(), headers=headers)
        assert producer.flush(DEADLINE) == 0

    def limit(self, topic: str, size: int) -> None:
        """The largest record that the topic takes from now on."""
        entry = ConfigEntry("max.message.bytes", str(size), incremental_operation=AlterConfigOpType.SET)
        wanted = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        admin.incremental_alter_configs([wanted])[wanted].result(DEADLINE)

    def sent(self) -> list[Record]:
        """What a reader of committed records finds in the topic."""
        return list(Scan(self.kafka, self.orders))

    def fates(self) -> dict[str, str]:
        """What became of each letter that something became of."""
        archive = fetch_archive(self.kafka, self.letters)
        return {place: resolution.fate for place, resolution in archive.resolutions.items()}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "headrace.cli.main", "dlq", *arguments, "--state", str(self.state)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "COLUMNS": "200"},
            preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call
        )
        self.processes.append(process)
        return process

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """The exit code, and what it printed; in this process, which spares a start."""
        return self.headrace("dlq", *arguments)

    def headrace(self, *arguments: str) -> tuple[int, str, str]:
        """Any command on this state."""
        result = CliRunner().invoke(app, [*arguments, "--state", str(self.state)])
        return result.exit_code, result.stdout, result.stderr

    def status(self) -> dict[str, Any]:
        jobs = [file.stem for file in (self.state / "documents").glob("job-*.json")]
        resources = [{"id": f"job/{job.removeprefix('job-')}"} for job in jobs]
        return {"addresses": {"gateways": {self.name: "http://127.0.0.1:1"}}, "resources": resources}


@pytest.fixture
def shop(kafka: str, tmp_path: Path) -> Iterator[Shop]:
    found = Shop(kafka, tmp_path / "state")
    found.make()
    loop = asyncio.new_event_loop()
    started, ended = threading.Event(), asyncio.Event()

    async def answer(_: dict[str, Any], __: Say) -> dict[str, Any]:
        return {"status": found.status(), "code": 0}

    async def serve() -> None:
        async with serving(found.state, answer):
            started.set()
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert started.wait(DEADLINE)
    try:
        yield found
    finally:
        for process in found.processes:
            process.kill()
            process.communicate()
        loop.call_soon_threadsafe(ended.set)
        thread.join(DEADLINE)
        loop.close()
