"""The server on a real socket: slow and broken clients, and a stop that loses no answer."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from headrace_apps.gateway.__main__ import main
from headrace_apps.gateway.app import Gateway, create_app
from headrace_apps.gateway.limits import Limits
from headrace_apps.gateway.metrics import Metrics
from headrace_apps.gateway.producer import Delivery, Record
from headrace_apps.gateway.server import GatewayServer, server_config
from headrace_apps.gateway.tokens import OpenDoor
from headrace_apps.gateway.views.rocks import RocksViewStore, stores_in

from .conftest import EVENT, NOW, RememberingProducer, make_document

LIMITS = Limits(drain_timeout=10)
HURRIED = Limits(header_timeout=0.3, body_timeout=0.3, drain_timeout=10)
"""For what never ends; a request that does end must not meet these on a busy machine."""
HEAD = b"POST /v1/topics/clicks/events HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
DEADLINE = 20

Story = Callable[[int], Awaitable[None]]


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """`main` sets the process's logging up, on a stderr that is the test's: the tests after it get theirs back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


class SlowProducer(RememberingProducer):
    """Acknowledges when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.acknowledge = asyncio.Event()

    async def store(self, records: Sequence[Record], timestamp: int) -> list[Delivery]:
        self.asked.set()
        await self.acknowledge.wait()
        return await super().store(records, timestamp)


async def served(producer: RememberingProducer, story: Story, limits: Limits = LIMITS) -> None:
    """Run the story against a server of this process, which ends by SIGTERM."""
    document = make_document()
    parts: list[Gateway] = []

    async def build() -> Gateway:
        parts.append(
            Gateway(
                document,
                producer,
                OpenDoor(),
                lambda: NOW,
                admin=AdminClient({"bootstrap.servers": "127.0.0.1:9", "log_level": 0}),
                limits=limits,
                metrics=Metrics(),
                look=lambda: {},
                new_store=stores_in(Path()),  # there is no view
            )
        )
        return parts[0]

    url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    config = server_config(create_app(document, build), "127.0.0.1", 0, limits)
    server = GatewayServer(config, drain=lambda: parts[0].drain(), ready=url.set_result)  # noqa: PLW0108
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(DEADLINE):
        try:
            await story(int((await url).rpartition(":")[2]))
        finally:
            if not serving.done():
                os.kill(os.getpid(), signal.SIGTERM)
            await serving


async def exchange(port: int, *pieces: bytes) -> bytes:
    """Send the pieces and return all that comes until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize("sent", [b"", b"POST /v1/topics/clicks/ev", HEAD, b"GET /healthz HTTP/1.1\r\n\r\n" + HEAD])
def test_headers_that_never_end_close_the_connection(sent: bytes) -> None:
    async def story(port: int) -> None:
        answer = await exchange(port, sent)
        assert answer.count(b"HTTP/1.1") == (1 if sent.startswith(b"GET") else 0)

    asyncio.run(served(RememberingProducer(), story, HURRIED))


def test_a_body_that_never_ends_is_a_408() -> None:
    async def story(port: int) -> None:
        answer = await exchange(port, HEAD + b"Content-Length: 100\r\n\r\n{")
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"body-timeout" in answer

    asyncio.run(served(RememberingProducer(), story, HURRIED))


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /v1/\xff\xfe HTTP/1.1\r\nHost: h\r\n\r\n",
        b"\x00\x01\x02\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: 1e3\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_no_http_is_a_400_and_the_server_goes_on(request_: bytes) -> None:
    async def story(port: int) -> None:
        assert (await exchange(port, request_)).startswith(b"HTTP/1.1 400")
        alive = await exchange(port, b"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert alive.startswith(b"HTTP/1.1 200")

    asyncio.run(served(RememberingProducer(), story))


def test_headers_with_any_bytes_are_no_crash() -> None:
    async def story(port: int) -> None:
        odd = HEAD + b"Authorization: Bearer \xff\xfe\r\nContent-Encoding: \xe9\r\nLast-Event-ID: \xff\r\n"
        answer = await exchange(port, odd + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}")
        assert answer.startswith(b"HTTP/1.1 415")

    asyncio.run(served(RememberingProducer(), story))


def test_a_stop_waits_for_the_acknowledgement_of_a_request_under_way() -> None:
    async def run() -> None:
        producer = SlowProducer()

        async def story(port: int) -> None:
            request = HEAD + b"Content-Length: %d\r\n\r\n" % len(EVENT) + EVENT
            answer = asyncio.create_task(exchange(port, request))
            await producer.asked.wait()
            os.kill(os.getpid(), signal.SIGTERM)
            while True:  # until it takes no more connections
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except ConnectionError:  # refused, or reset while the listener closes
                    break
                writer.close()
            assert not answer.done()
            producer.acknowledge.set()
            assert (await answer).startswith(b"HTTP/1.1 200")

        await served(producer, story)
        assert len(producer.records) == 1

    asyncio.run(run())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"document": "headrace.gateway/v9"}, "headrace.gateway/v1"),
        ({"unknown": 1}, "unknown"),
        ({"auth": {"issuer": "i", "audience": "a"}}, "exactly one"),
        ({"auth": {"issuer": "i", "audience": "a", "jwksFile": "/nothing"}}, "/nothing"),
    ],
)
def test_a_document_that_cannot_be_served_ends_the_start_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, object], said: str
) -> None:
    file = tmp_path / "gateway.json"
    file.write_text(json.dumps({**make_document().model_dump(mode="json", by_alias=True), **change}))
    assert main(["--document", str(file), "--port", "0"]) == 3
    assert said in capsys.readouterr().err


def test_a_schema_that_refers_to_another_place_ends_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = make_document().model_dump(mode="json", by_alias=True)
    content["topics"][0]["schema"]["definition"] = {"$ref": "http://127.0.0.1:9/schema.json"}
    file = tmp_path / "gateway.json"
    file.write_text(json.dumps(content))
    assert main(["--document", str(file), "--port", "0"]) == 3
    assert "topic clicks: its schema cannot be used" in capsys.readouterr().err


def test_a_second_gateway_on_the_same_stores_is_told_so_in_one_line(tmp_path: Path) -> None:
    content = make_document().model_dump(mode="json", by_alias=True)
    content["topics"][2]["compacted"] = True
    content["views"] = [{"name": "newest", "topic": "results", "scopes": []}]
    file, data = tmp_path / "gateway.json", tmp_path / "views"
    file.write_text(json.dumps(content))
    command = [sys.executable, "-m", "headrace_apps.gateway", "--document", str(file), "--port", "0"]
    other = RocksViewStore(data / "newest")
    try:
        second = subprocess.run(
            [*command, "--data", str(data)], capture_output=True, text=True, timeout=60, check=False
        )
    finally:
        other.close()
    assert second.returncode == 3
    (said,) = [line for line in second.stderr.splitlines() if "CRITICAL" in line]
    assert f"cannot start: {data / 'newest'} is in use by another gateway: give each its own --data folder" in said
    assert "Traceback" not in second.stderr
