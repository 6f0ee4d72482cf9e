"""Letters as the stages write them, for tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from headrace.core.dead_letter import Origin, Reason, envelope_headers
from headrace.core.documents import GatewayDocument
from headrace_apps.dead_letters.letter import Letter, parse_letter
from headrace_apps.inspection.records import Record

WHEN = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
TOPIC = "shop.dead-letters"

DOCUMENT = GatewayDocument.model_validate(
    {
        "pipeline": "shop",
        "kafka": {"bootstrap.servers": "nowhere:1"},
        "auth": {"issuer": "i", "audience": "a", "hs256SecretFile": "none"},
        "deadLetterTopic": TOPIC,
        "topics": [
            {
                "name": "orders",
                "kafkaTopic": "shop.orders",
                "partitions": 3,
                "compacted": False,
                "keyFields": ["user"],
                "schema": {
                    "format": "JSON",
                    "subject": "shop.orders-value",
                    "identity": "shop.orders-value/0",
                    "definition": {
                        "type": "object",
                        "required": ["id", "user"],
                        "properties": {
                            "id": {"type": "string"},
                            "user": {"type": "string"},
                            "amount": {"type": "integer", "minimum": 0},
                        },
                    },
                },
                "columns": [
                    {"name": "id", "type": {"kind": "STRING"}, "required": True},
                    {"name": "user", "type": {"kind": "STRING"}, "required": True},
                    {"name": "amount", "type": {"kind": "BIGINT"}},
                ],
                "ingest": {"scopes": ["shop.orders:write"], "onInvalid": "DeadLetter"},
                "readScopes": ["shop.orders:read"],
            }
        ],
    }
)


def record(value: bytes | None = b"{}", key: bytes | None = None, offset: int = 0, **more: Any) -> Record:
    return Record(more.pop("topic", TOPIC), more.pop("partition", 0), offset, 0, key, value, **more)


def letter(
    value: bytes | None = b"{}",
    *,
    stage: str = "job/count",
    reason: Reason = Reason.MALFORMED,
    error: str = "is no JSON",
    topic: str = "shop.orders",
    key: bytes | None = b"ann",
    time: datetime = WHEN,
    offset: int = 0,
    headers: list[tuple[str, bytes | str | None]] | None = None,
) -> Letter:
    place = Origin(topic) if stage == "gateway" else Origin(topic, 2, 41)
    envelope = envelope_headers(headers, stage=stage, reason=reason, error=error, origin=place, time=time)
    found = parse_letter(record(value, key, offset, headers=tuple(envelope)))
    assert isinstance(found, Letter)
    return found
