"""What the loader's tests are made of: a topic to write to, a warehouse to ask, processes to start and kill."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import snowflake.connector
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from tests.children import die_with_parent

import headrace_apps.snowflake_stand_in
from headrace.core.columns import BIGINT, STRING, TIMESTAMP, Column
from headrace.core.documents import (
    Batch,
    Identity,
    LoaderDocument,
    LoaderTopic,
    SnowflakeConnection,
    Table,
    TableColumn,
    Transform,
)
from headrace_apps.loader.session import connect_arguments

LOOPBACK = "127.0.0.1"
PARTITIONS = 3
DEADLINE_SECONDS = 90.0

FIELDS = (
    Column(name="event_id", type=STRING, required=True),
    Column(name="user", type=STRING, required=True),
    Column(name="n", type=BIGINT),
    Column(name="at", type=TIMESTAMP, required=True),
)


def eventually(what: str, condition: Callable[[], Any], seconds: float = DEADLINE_SECONDS) -> Any:
    """The first truthy answer of `condition`; fails when there is none in time."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        pause.wait(0.1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


class Process:
    """A child process whose output goes to a file."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self._command = list(command)
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(self._command, stdout=output, stderr=output, preexec_fn=die_with_parent)  # noqa: PLW1509 - one system call

    @property
    def log(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def terminate(self, seconds: float = 30) -> int:
        """SIGTERM; the exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(seconds)

    def exit_code(self, seconds: float = DEADLINE_SECONDS) -> int:
        """Waits for it to end by itself."""
        assert self._process is not None
        return self._process.wait(seconds)


class StandInServer(Process):
    """The stand-in as users get it: a process over a folder, which it can be started again on."""

    def __init__(self, python: Path, folder: Path) -> None:
        server = Path(headrace_apps.snowflake_stand_in.__file__).with_name("server.py")
        self.port = free_port()
        arguments = ["--db-path", str(folder / "databases"), "--host", LOOPBACK, "--port", str(self.port)]
        super().__init__([str(python), "-I", str(server), *arguments], folder / "stand-in.log")

    def start(self) -> None:
        super().start()
        eventually(f"the stand-in answers: {self.log[-500:]}", lambda: self.ready or not self.running)
        assert self.running, self.log

    @property
    def ready(self) -> bool:
        return _status(f"http://{LOOPBACK}:{self.port}/healthz") == 200

    @property
    def settings(self) -> SnowflakeConnection:
        return SnowflakeConnection(account="test", user="test", host=LOOPBACK, port=self.port, protocol="http")


@dataclass
class Warehouse:
    """A schema of this session's own. `rows` and `run` log in once, and again when the session was lost."""

    settings: SnowflakeConnection
    database: str
    schema: str
    real: bool
    _connection: Any = None

    def __post_init__(self) -> None:
        self.run(f'CREATE SCHEMA IF NOT EXISTS "{self.schema}"')

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        if self._connection is None:
            arguments = connect_arguments(self.settings, self.database, "headrace-test")
            self._connection = snowflake.connector.connect(**arguments)
        with self._connection.cursor() as cursor:
            return list(cursor.execute(sql).fetchall())

    def name(self, table: str) -> str:
        return f'"{self.database}"."{self.schema}"."{table}"'

    def rows(self, table: str, columns: str = "*", tail: str = "") -> list[tuple[Any, ...]]:
        """Empty while the table is not there."""
        try:
            return self.run(f"SELECT {columns} FROM {self.name(table)} {tail}")
        except snowflake.connector.errors.ProgrammingError as error:
            if error.sqlstate in {"42S02", "02000"}:
                return []
            raise

    def count(self, table: str) -> int:
        found = self.rows(table, "COUNT(*)")
        return int(found[0][0]) if found else 0

    def drop(self) -> None:
        self.run(f'DROP SCHEMA IF EXISTS "{self.schema}" CASCADE')
        self._connection.close()


@dataclass
class Topic:
    """A topic below a prefix of one test's own."""

    bootstrap: str
    prefix: str
    name: str
    compacted: bool
    _producer: Producer = field(init=False)

    def __post_init__(self) -> None:
        settings = {"acks": "all", "enable.idempotence": True, "partitioner": "murmur2_random"}
        self._producer = Producer({"bootstrap.servers": self.bootstrap, **settings})

    @property
    def producer(self) -> Producer:
        return self._producer

    @property
    def dead_letter_topic(self) -> str:
        return f"{self.prefix}dead-letters"

    def send(self, *events: Mapping[str, Any], key: str | None = None) -> None:
        """Each event with its `user` as the key, acknowledged."""
        for event in events:
            self.send_bytes(key or str(event["user"]), json.dumps(event).encode(), flush=False)
        assert self._producer.flush(30) == 0

    def send_bytes(self, key: str, value: bytes | None, flush: bool = True, **more: Any) -> None:
        self._producer.produce(self.name, value=value, key=key, **more)
        self._producer.poll(0)
        if flush:
            assert self._producer.flush(30) == 0

    def dead_letters(self) -> list[tuple[bytes | None, bytes | None, dict[str, str]]]:
        """Key, value and headers of everything in the dead-letter topic."""
        found = read_all(self.bootstrap, self.dead_letter_topic)
        return [(m.key(), m.value(), {k: v.decode() for k, v in m.headers() or []}) for m in found]

    def records(self) -> list[Any]:
        return read_all(self.bootstrap, self.name)

    def document(self, warehouse: Warehouse, table: str, **changes: Any) -> LoaderDocument:
        """A sink of this topic with every field as a column, in batches of 200 ms."""
        fields: tuple[Column, ...] = changes.pop("fields", FIELDS)
        columns = tuple(
            TableColumn(name=f.name.upper(), field=f.name, type=f.type, required=f.required) for f in fields
        )
        defaults: dict[str, Any] = {
            "pipeline": "test",
            "sink": "events",
            "kafka": {"bootstrap.servers": self.bootstrap},
            "group_id": f"{self.prefix}events",
            "dead_letter_topic": self.dead_letter_topic,
            "topic": LoaderTopic(name="events", kafka_topic=self.name, compacted=self.compacted, key_fields=("user",)),
            "table": Table(database=warehouse.database, schema_=warehouse.schema, name=table),
            "columns": columns,
            "fields": fields,
            "id": None if self.compacted else Identity(field="event_id", window_ms=3_600_000),
            "event_time_field": "at",
            "batch": Batch(max_rows=50_000, max_ms=200),
            "snowflake": warehouse.settings,
        }
        return LoaderDocument(**{**defaults, **changes})


def create_topic(bootstrap: str, prefix: str, compacted: bool) -> Topic:
    topic = Topic(bootstrap, prefix, f"{prefix}events", compacted)
    config = {"cleanup.policy": "compact" if compacted else "delete"}
    make_topics(bootstrap, NewTopic(topic.name, PARTITIONS, 1, config=config), NewTopic(topic.dead_letter_topic, 1, 1))
    return topic


def make_topics(bootstrap: str, *topics: NewTopic) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for made in admin.create_topics(list(topics)).values():
        made.result(30)


def read_all(bootstrap: str, topic: str) -> list[Any]:
    """Every committed record of a topic, partition by partition."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": f"{topic}.check", "isolation.level": "read_committed"}
        | {"enable.auto.commit": False, "enable.partition.eof": True}
    )
    try:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
        found, open_ends = [], set(partitions)
        while open_ends:
            message = consumer.poll(10)
            assert message is not None, f"{topic} cannot be read to its end"
            if message.error() is None:
                found.append(message)
            else:
                open_ends.discard(message.partition())
        return found
    finally:
        consumer.close()


class LoaderRun(Process):
    """`python -m headrace_apps.loader` on a document; can be started again after it was killed."""

    def __init__(self, document: Any, folder: Path) -> None:
        folder.mkdir()
        file = folder / "loader.json"
        file.write_text(document.to_json())
        self.port = free_port()
        arguments = ["--document", str(file), "--metrics-port", str(self.port)]
        super().__init__([sys.executable, "-m", "headrace_apps.loader", *arguments], folder / "loader.log")

    @property
    def ready(self) -> bool:
        return _status(f"http://{LOOPBACK}:{self.port}/readyz") == 200

    def wait_ready(self) -> None:
        eventually("the loader is ready", lambda: self.ready or not self.running)
        assert self.running, self.log

    def metrics(self) -> dict[str, float]:
        """Samples as `name{labels}`; empty while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{self.port}/metrics", timeout=5) as answer:
                lines = answer.read().decode().splitlines()
        except OSError:
            return {}
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    def outcomes(self) -> dict[str, int]:
        """Records by outcome."""
        prefix = 'headrace_loader_records_total{outcome="'
        return {
            name.removeprefix(prefix).split('"')[0]: int(value)
            for name, value in self.metrics().items()
            if name.startswith(prefix)
        }

    def wait_read(self, count: int) -> dict[str, int]:
        """Outcomes, once so many records were read by this process."""
        eventually(
            f"{count} records are read; {self.outcomes()}; {self.log[-1500:]}",
            lambda: self.outcomes().get("read", 0) >= count or not self.running,
        )
        assert self.running, self.log
        return self.outcomes()


def _status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own http URLs
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def event(number: int, user: str = "u1", at: str = "2026-11-22T10:00:00Z", **more: Any) -> dict[str, Any]:
    return {"event_id": f"e{number}", "user": user, "n": number, "at": at, **more}


def repeated(values: Iterable[Any]) -> list[Any]:
    return [value for value, times in Counter(values).items() if times > 1]


def hashed(column: TableColumn) -> TableColumn:
    return column.model_copy(update={"type": STRING, "transform": Transform(kind="hash")})
