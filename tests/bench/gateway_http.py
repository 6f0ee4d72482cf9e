"""What HTTP costs: CPU per event of the gateway at batch 1 and 100, beside a bare producing loop in the same run.

    python tests/bench/gateway_http.py --bootstrap 127.0.0.1:9092 [--events 200000] [--profile FILE]

Starts a gateway process on the given broker (topics `bench.*` are made), sends from this process over raw sockets,
and reads the gateway's CPU time (user and system, all threads) from the system. CPU per event is the figure to
compare between runs; events/s on a shared machine says more about the machine. Not a test: nothing is asserted.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import psutil
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

KAFKA_TOPIC = "bench.clicks"
PARTITIONS = 6
WARM_UP = 0.1
"""Share of the events that is sent before the clock starts."""

SCHEMA = {
    "type": "object",
    "required": ["event_id", "user_id", "page", "occurred_at"],
    "properties": {
        "event_id": {"type": "string", "format": "uuid"},
        "user_id": {"type": "string", "minLength": 1, "maxLength": 64},
        "page": {"type": "string", "pattern": "^/", "maxLength": 200},
        "referrer": {"type": "string", "maxLength": 200},
        "dwell_ms": {"type": "integer", "minimum": 0},
        "amount": {"type": "number", "minimum": 0},
        "occurred_at": {"type": "string", "format": "date-time"},
    },
}
KINDS = {
    "event_id": "STRING",
    "user_id": "STRING",
    "page": "STRING",
    "referrer": "STRING",
    "dwell_ms": "BIGINT",
    "amount": "DOUBLE",
    "occurred_at": "TIMESTAMP",
}


def document(bootstrap: str) -> dict[str, Any]:
    """A gateway document of one topic, open to everyone."""
    columns = [
        {"name": name, "type": {"kind": kind}, "required": name in SCHEMA["required"]} for name, kind in KINDS.items()
    ]
    topic = {
        "name": "clicks",
        "kafkaTopic": KAFKA_TOPIC,
        "partitions": PARTITIONS,
        "compacted": False,
        "keyFields": ["user_id"],
        "schema": {"format": "JSON", "subject": "s", "identity": "s/0123456789abcdef", "definition": SCHEMA},
        "columns": columns,
        "eventTimeField": "occurred_at",
        "ingest": {"scopes": []},
        "readScopes": [],
    }
    return {
        "pipeline": "bench",
        "kafka": {"bootstrap.servers": bootstrap},
        "auth": {"enabled": False, "issuer": "i", "audience": "a"},
        "deadLetterTopic": "bench.dead-letters",
        "topics": [topic],
    }


def make_events(count: int) -> list[bytes]:
    """Distinct events of about 320 bytes."""
    return [
        json.dumps(
            {
                "event_id": str(uuid.UUID(int=i + (7 << 100))),
                "user_id": f"user-{i % 5000}",
                "page": f"/catalog/item-{i % 300}",
                "referrer": "https://example.com/search?q=" + "x" * 90,
                "dwell_ms": i % 60_000,
                "amount": (i % 1000) / 4,
                "occurred_at": f"2026-11-22T19:{i // 60 % 60:02}:{i % 60:02}.{i % 1000:03}Z",
            },
            separators=(",", ":"),
        ).encode()
        for i in range(count)
    ]


def requests_of(events: Sequence[bytes], batch: int) -> list[bytes]:
    """Whole HTTP requests, ready to be written."""
    requests = []
    for start in range(0, len(events), batch):
        body = events[start] if batch == 1 else b"[" + b",".join(events[start : start + batch]) + b"]"
        head = (
            "POST /v1/topics/clicks/events HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        requests.append(head.encode() + body)
    return requests


async def send(port: int, requests: Sequence[bytes], connections: int) -> list[float]:
    """Send all over so many connections at once; the seconds that each answer took. Any answer but 200 is an error."""
    waiting = iter(requests)
    seconds: list[float] = []

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in waiting:
            began = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head)
            if not head.startswith(b"HTTP/1.1 200") or length is None:
                raise RuntimeError(head.decode())
            await reader.readexactly(int(length[1]))
            seconds.append(time.perf_counter() - began)
        writer.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    return seconds


def cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def report(name: str, events: int, wall: float, cpu: float, seconds: Sequence[float] = ()) -> None:
    line = f"{name:32} {events / wall:9,.0f} events/s  {cpu / events * 1e6:7.2f} µs CPU/event"
    if seconds:
        ordered = sorted(seconds)
        p50, p95 = (ordered[int(len(ordered) * share)] * 1e3 for share in (0.5, 0.95))
        line += f"  p50 {p50:6.1f} ms  p95 {p95:6.1f} ms"
    print(line, flush=True)


def bare_loop(bootstrap: str, events: Sequence[bytes]) -> None:
    """The floor: the same bytes, key and headers produced without HTTP, parsing or validation."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "acks": "all",
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "compression.type": "lz4",
            "linger.ms": 2,
            "queue.buffering.max.messages": 200_000,
        }
    )
    headers: list[tuple[str, str | bytes | None]] = [
        ("headrace.schema", b"s/0123456789abcdef"),
        ("headrace.accepted", b"1795376545622"),
    ]
    me = psutil.Process()
    delivered = 0

    def on_delivery(error: object, _: object) -> None:
        nonlocal delivered
        if error:
            raise RuntimeError(error)
        delivered += 1

    warm = int(len(events) * WARM_UP)
    for number, event in enumerate(events):
        if number == warm:
            producer.flush()
            began, used = time.perf_counter(), cpu_seconds(me)
        producer.produce(KAFKA_TOPIC, event, b"user-1", on_delivery=on_delivery, headers=headers)
        if number % 100 == 0:
            producer.poll(0)
            while len(producer) > 10_000:
                producer.poll(0.01)
    producer.flush()
    assert delivered == len(events)
    report("bare confluent-kafka loop", len(events) - warm, time.perf_counter() - began, cpu_seconds(me) - used)


@contextlib.asynccontextmanager
async def gateway(bootstrap: str, port: int, profile: str | None) -> AsyncIterator[psutil.Process]:
    """A gateway process that serves until the block ends."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "gateway.json")
        file.write_text(json.dumps(document(bootstrap)))  # noqa: ASYNC240 - before anything is timed
        profiler = ["-m", "cProfile", "-o", profile] if profile else []
        command = [sys.executable, *profiler, "-m", "headrace_apps.gateway", "--document", str(file)]
        process = subprocess.Popen([*command, "--port", str(port)], stderr=subprocess.PIPE)  # noqa: ASYNC220
        assert process.stderr is not None
        try:
            while b"is served at" not in (line := await asyncio.to_thread(process.stderr.readline)):
                if not line:
                    raise RuntimeError("the gateway did not start")
            yield psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(30)


async def measure(options: argparse.Namespace) -> None:
    events = make_events(options.events)
    cases = ((1, 64, options.events // 10), (100, 32, options.events))
    async with gateway(options.bootstrap, options.port, options.profile) as process:
        for batch, connections, count in cases:
            requests = requests_of(events[:count], batch)
            warm = int(len(requests) * WARM_UP)
            await send(options.port, requests[:warm], connections)
            began, used = time.perf_counter(), cpu_seconds(process)
            seconds = await send(options.port, requests[warm:], connections)
            wall, cpu = time.perf_counter() - began, cpu_seconds(process) - used
            report(f"gateway, batch {batch}, {connections} conns", count - warm * batch, wall, cpu, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--port", type=int, default=18_080)
    parser.add_argument("--profile", help="write the gateway's cProfile statistics there (slows it)")
    options = parser.parse_args()
    admin = AdminClient({"bootstrap.servers": options.bootstrap})
    missing = {KAFKA_TOPIC, "bench.dead-letters"} - set(admin.list_topics(timeout=10).topics)
    for future in admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in missing]).values() if missing else ():
        future.result(20)
    # In a process of its own: its CPU time is the figure.
    subprocess.run(
        [sys.executable, __file__, "--bootstrap", options.bootstrap, "--bare", str(options.events)], check=True
    )
    asyncio.run(measure(options))


if __name__ == "__main__":
    if "--bare" in sys.argv:
        bare_loop(sys.argv[2], make_events(int(sys.argv[4])))
    else:
        main()
