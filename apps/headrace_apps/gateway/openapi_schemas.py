"""The shapes of the gateway's answers, for its OpenAPI page."""

from __future__ import annotations

from typing import Any

SCHEMAS: dict[str, Any] = {
    "Outcome": {
        "type": "object",
        "required": ["topic", "accepted", "refused", "deadLettered", "failed", "results"],
        "properties": {
            "topic": {"type": "string"},
            **{name: {"type": "integer"} for name in ("accepted", "refused", "deadLettered", "failed")},
            "results": {"type": "array", "items": {"$ref": "#/components/schemas/Result"}},
        },
    },
    "Result": {
        "type": "object",
        "required": ["index", "status"],
        "properties": {
            "index": {"type": "integer", "description": "The event's place in the request, from 0."},
            "status": {"enum": ["accepted", "refused", "dead_lettered", "failed"]},
            "partition": {"type": "integer"},
            "offset": {"type": "integer"},
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"pointer": {"type": "string"}, "message": {"type": "string"}},
                },
            },
        },
    },
    "Page": {
        "type": "object",
        "required": ["events", "next"],
        "properties": {
            "events": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "partition": {"type": "integer"},
                        "offset": {"type": "integer"},
                        "timestamp": {"type": "string", "format": "date-time"},
                        "key": {},
                        "value": {},
                        "valueBase64": {"type": "string", "description": "Beside a null: what could not be decoded."},
                        "error": {"type": "string", "description": "Why it could not."},
                        "headers": {"type": "object"},
                    },
                },
            },
            "next": {"type": "string"},
        },
    },
    "Problem": {
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
        },
    },
}
