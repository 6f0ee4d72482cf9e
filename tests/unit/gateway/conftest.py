"""A gateway without a broker: a producer that remembers, a clock that stands still, and a client over ASGI."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient
from starlette.testclient import TestClient

from headrace.core.documents import GatewayDocument
from headrace_apps.gateway.app import Gateway, create_app
from headrace_apps.gateway.limits import Limits
from headrace_apps.gateway.metrics import Metrics
from headrace_apps.gateway.producer import Delivery, NotStored, Record, Stored
from headrace_apps.gateway.tokens import OpenDoor, Verifier
from headrace_apps.gateway.views.rocks import stores_in
from headrace_apps.records.registry import Registry

from .paper_broker import PaperBroker

NOW = 1_795_376_545.622

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["event_id", "user_id", "occurred_at"],
    "properties": {
        "event_id": {"type": "string", "format": "uuid"},
        "user_id": {"type": "string", "minLength": 1},
        "occurred_at": {"type": "string", "format": "date-time"},
        "dwell_ms": {"type": "integer"},
        "amount": {"type": "number"},
    },
}
COLUMNS: list[dict[str, Any]] = [
    {"name": "event_id", "type": {"kind": "STRING"}, "required": True},
    {"name": "user_id", "type": {"kind": "STRING"}, "required": True},
    {"name": "occurred_at", "type": {"kind": "TIMESTAMP"}, "required": True},
    {"name": "dwell_ms", "type": {"kind": "BIGINT"}},
    {"name": "amount", "type": {"kind": "DOUBLE"}},
]
EVENT = b'{"event_id":"0f3c8e0a-3a39-4d55-8dd9-2b1a5c3e7f10","user_id":"u-1","occurred_at":"2026-11-22T19:01:00Z"}'


def make_document(**changes: Any) -> GatewayDocument:
    """One topic `clicks` that takes events, one `strays` that dead-letters invalid ones, one `results` that does not."""
    topic: dict[str, Any] = {
        "name": "clicks",
        "kafkaTopic": "p.clicks",
        "partitions": 6,
        "compacted": False,
        "keyFields": ["user_id"],
        "schema": {
            "format": "JSON",
            "subject": "p.clicks-value",
            "identity": "p.clicks-value/ab",
            "definition": SCHEMA,
        },
        "columns": COLUMNS,
        "idField": "event_id",
        "eventTimeField": "occurred_at",
        "ingest": {"scopes": ["p.clicks:write"]},
        "readScopes": ["p.clicks:read"],
    }
    strays = {
        **topic,
        "name": "strays",
        "kafkaTopic": "p.strays",
        "ingest": {"scopes": ["p.strays:write"], "onInvalid": "DeadLetter"},
    }
    results = {**topic, "name": "results", "kafkaTopic": "p.results", "ingest": None}
    document = {
        "pipeline": "p",
        "kafka": {"bootstrap.servers": "127.0.0.1:9"},
        "auth": {"enabled": False, "issuer": "i", "audience": "a"},
        "deadLetterTopic": "p.dead-letters",
        "topics": [topic, strays, results],
        **changes,
    }
    return GatewayDocument.model_validate(document)


class RememberingProducer:
    """Stores in a list. `fate` decides about each record by its value."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.timestamps: list[int] = []
        self.in_flight = 0
        self.outage: str | None = None
        self.fate: Callable[[bytes], NotStored | None] = lambda _: None

    async def store(self, records: Sequence[Record], timestamp: int) -> list[Delivery]:
        deliveries: list[Delivery] = []
        for record in records:
            failure = self.fate(record.value)
            if failure is None:
                partition = hashlib.sha256(record.key or b"").digest()[0] % 6
                deliveries.append(Stored(partition, len(self.records)))
                self.records.append(record)
                self.timestamps.append(timestamp)
            else:
                deliveries.append(failure)
        return deliveries

    async def close(self, patience: float) -> None:
        pass


Serve = Callable[..., AbstractContextManager[TestClient]]


@contextmanager
def serve(
    producer: RememberingProducer,
    document: GatewayDocument | None = None,
    verifier: Verifier | None = None,
    limits: Limits | None = None,
    now: Callable[[], float] = lambda: NOW,
    *,
    registry: Registry | None = None,
) -> Iterator[TestClient]:
    """A running gateway. A crash in a handler is a 500 here, as it is for a caller."""
    document = document or make_document()

    async def build() -> Gateway:
        return Gateway(
            document,
            producer,
            verifier or OpenDoor(),
            now,
            admin=AdminClient({"bootstrap.servers": "127.0.0.1:9", "log_level": 0}),
            limits=limits or Limits(read_timeout=0.2),
            metrics=Metrics(),
            look=lambda: {},
            new_store=stores_in(Path(data)),
            registry=registry,
        )

    with (
        tempfile.TemporaryDirectory() as data,
        TestClient(create_app(document, build), raise_server_exceptions=False) as client,
    ):
        yield client


@pytest.fixture
def producer() -> RememberingProducer:
    return RememberingProducer()


@pytest.fixture
def client(producer: RememberingProducer) -> Iterator[TestClient]:
    with serve(producer) as client:
        yield client


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> PaperBroker:
    """For whatever the test serves."""
    broker = PaperBroker()
    broker.install(monkeypatch)
    return broker
