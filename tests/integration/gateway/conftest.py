"""A gateway process on the session's broker, with topics of its own."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from headrace.local.background import Background
from headrace.local.processes.spawn import stop

SECRET = "0123456789abcdef0123456789abcdef"
DEADLINE = 60.0
"""Seconds for anything to happen that a test waits for."""

CLICK: dict[str, Any] = {
    "type": "object",
    "required": ["event_id", "user_id"],
    "properties": {"event_id": {"type": "string"}, "user_id": {"type": "string"}, "n": {"type": "integer"}},
}
TOTAL: dict[str, Any] = {
    "type": "object",
    "required": ["page", "day", "views"],
    "properties": {
        "page": {"type": "string"},
        "day": {"type": "string", "format": "date"},
        "views": {"type": "integer"},
    },
}


def wait_until(holds: Callable[[], bool], what: str, deadline: float = DEADLINE) -> None:
    """Return as soon as it holds; fail when it never does."""
    end = time.monotonic() + deadline
    pause = threading.Event()
    while not holds():
        if time.monotonic() > end:
            pytest.fail(f"waited {deadline:g} s for: {what}")
        pause.wait(0.02)  # between two looks: the processes that are waited for need the cores


def columns(**kinds: str) -> list[dict[str, Any]]:
    return [{"name": name, "type": {"kind": kind}, "required": name != "n"} for name, kind in kinds.items()]


@dataclass
class Gateway:
    """A running gateway; `prefix` is of its Kafka topics."""

    services: Background
    bootstrap: str
    prefix: str
    folder: Path
    processes: list[asyncio.subprocess.Process] = field(default_factory=list)
    url: str = ""
    _log: Path = Path()

    def document(self) -> dict[str, Any]:
        def topic(name: str, schema: Any, key: list[str], kinds: dict[str, str], **more: Any) -> dict[str, Any]:
            return {
                "name": name,
                "kafkaTopic": self.prefix + name,
                "partitions": 3,
                "compacted": False,
                "keyFields": key,
                "schema": {"format": "JSON", "subject": name, "identity": name + "/0", "definition": schema},
                "columns": columns(**kinds),
                "ingest": {"scopes": ["write"]},
                "readScopes": ["read"],
                **more,
            }

        click = {"event_id": "STRING", "user_id": "STRING", "n": "BIGINT"}
        dead = {"scopes": ["write"], "onInvalid": "DeadLetter"}
        total = {"page": "STRING", "day": "DATE", "views": "BIGINT"}
        (self.folder / "secret").write_text(SECRET)
        return {
            "pipeline": "p",
            "kafka": {"bootstrap.servers": self.bootstrap},
            "auth": {"issuer": "i", "audience": "a", "hs256SecretFile": str(self.folder / "secret")},
            "deadLetterTopic": self.prefix + "dead-letters",
            "topics": [
                topic("clicks", CLICK, ["user_id"], click),
                topic("strays", CLICK, ["user_id"], click, ingest=dead),
                topic("totals", TOTAL, ["page", "day"], total, compacted=True),
            ],
            "views": [{"name": "by-day", "topic": "totals", "scopes": ["read"]}],
        }

    def make_topics(self) -> None:
        compacted = {"cleanup.policy": "compact"}
        wanted = [
            NewTopic(self.prefix + "clicks", 3, 1),
            NewTopic(self.prefix + "strays", 3, 1),
            NewTopic(self.prefix + "totals", 3, 1, config=compacted),
            NewTopic(self.prefix + "dead-letters", 1, 1),
        ]
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        for made in admin.create_topics(wanted).values():
            made.result(DEADLINE)

    def start(self) -> None:
        """Another process on the same document, ready when this returns."""
        document = self.folder / "gateway.json"
        document.write_text(json.dumps(self.document()))
        log = self._log = self.folder / f"gateway-{len(self.processes)}.log"
        data = ["--data", str(self.folder / "views")]
        command = [sys.executable, "-m", "headrace_apps.gateway", "--document", str(document), "--port", "0", *data]

        async def spawn() -> asyncio.subprocess.Process:
            with log.open("wb") as output:
                return await self.services.spawner.start(command, output=output)

        process = self.services.call(spawn())
        self.processes.append(process)

        def served() -> bool:
            assert process.returncode is None, log.read_text()
            _, found, rest = log.read_text().partition("is served at ")
            self.url = rest.split()[0] if found else ""
            return bool(found)

        wait_until(served, "the gateway to serve")
        with self.client() as client:
            wait_until(lambda: client.get("/readyz").status_code == 200, "the gateway to be ready")

    def stop(self) -> int | None:
        """SIGTERM to the newest process; its exit code."""
        process = self.processes[-1]
        process.send_signal(signal.SIGTERM)
        return self.services.call(asyncio.wait_for(process.wait(), DEADLINE))

    def kill(self) -> None:
        """SIGKILL to the newest process."""
        process = self.processes[-1]
        process.kill()
        self.services.call(asyncio.wait_for(process.wait(), DEADLINE))

    @property
    def log(self) -> str:
        """What the newest process has said."""
        return self._log.read_text()

    def end(self) -> None:
        for process in self.processes:
            self.services.call(stop(process, 30))
            self.services.spawner.ended(process)

    def token(self, scope: str = "read write") -> str:
        claims = {"iss": "i", "aud": "a", "exp": time.time() + 3600, "scope": scope}
        return jwt.encode(claims, SECRET, "HS256")

    def client(self, scope: str = "read write") -> httpx.Client:
        headers = {"authorization": f"Bearer {self.token(scope)}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=DEADLINE, trust_env=False)

    def stored(self, topic: str) -> list[Message]:
        """All committed records of the topic, by a stock consumer."""
        name = self.prefix + topic
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": name,
                "enable.partition.eof": True,
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
            }
        )
        try:
            partitions = consumer.list_topics(name, timeout=DEADLINE).topics[name].partitions
            consumer.assign([TopicPartition(name, p, 0) for p in partitions])
            ended: set[int | None] = set()
            records: list[Message] = []
            end = time.monotonic() + DEADLINE
            while len(ended) < len(partitions):
                assert time.monotonic() < end, f"read {len(records)} records of {name}, but not to its end"
                message = consumer.poll(1.0)
                error = message.error() if message is not None else None
                if error is not None and error.code() == KafkaError._PARTITION_EOF and message is not None:
                    ended.add(message.partition())
                elif message is not None and error is None:
                    records.append(message)
            return records
        finally:
            consumer.close()


@pytest.fixture
def gateway(services: Background, kafka: str, topic_prefix: str, tmp_path: Path) -> Iterator[Gateway]:
    gateway = Gateway(services, kafka, topic_prefix, tmp_path)
    gateway.make_topics()
    try:
        gateway.start()
        yield gateway
    finally:
        gateway.end()
