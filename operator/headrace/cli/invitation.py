"""What `up` prints when a gateway serves: its URLs and a first event, ready to paste with a token."""

from __future__ import annotations

import json
import re
import shlex
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import jsonschema_rs

from headrace.core.columns import Kind
from headrace.core.dead_letter import rfc3339
from headrace.core.documents import GatewayTopic
from headrace.local.keys import sign_token
from headrace.local.run import LocalRun
from headrace_apps.gateway.examples import example_of

TOKEN_SECONDS = 3600


def invitation(run: LocalRun, pipeline: str, url: str, clock: Callable[[], float] = time.time) -> list[str]:
    """Lines for a person."""
    document = run.plan_of(run.pipelines[pipeline]).gateway.document
    lines = [f"{pipeline} is served at {url}   (its API: {url}/openapi.json)"]
    topic = next((topic for topic in document.topics if topic.ingest), None)
    if topic is None or topic.ingest is None:
        return lines
    token = sign_token(run.site.state, [*topic.ingest.scopes, *topic.read_scopes], TOKEN_SECONDS)
    event, fits = first_event(topic, clock())
    return [
        *lines,
        "Send a first event" + ("" if fits else ", changed so that it fits the schema") + " (valid for an hour):",
        f"  curl -sS {url}/v1/topics/{topic.name}/events -H 'Content-Type: application/json' \\",
        f"    -H 'Authorization: Bearer {token}' \\",
        f"    -d {shlex.quote(json.dumps(event, ensure_ascii=False))}",
    ]


def first_event(topic: GatewayTopic, now: float) -> tuple[dict[str, Any], bool]:
    """An event of the topic that happened now (epoch seconds), and whether it fits the schema."""
    schema = topic.schema_.definition if topic.schema_ else {}
    example = example_of(schema, schema)
    event: dict[str, Any] = example if isinstance(example, dict) else {}
    for name, child in schema.get("properties", {}).items():
        # An anchored pattern's literal beginning fits the common ones, such as ^/ or ^user-.
        start = re.match(r"\^([\w/:.-]+)", child.get("pattern", "")) if isinstance(child, dict) else None
        if start and isinstance(event.get(name), str):
            event[name] = start[1]
    for column in topic.columns:
        if column.name == topic.event_time_field and column.type.kind in (Kind.TIMESTAMP, Kind.EPOCH_MILLIS):
            as_text = isinstance(event.get(column.name), str)
            event[column.name] = rfc3339(datetime.fromtimestamp(now, UTC)) if as_text else int(now * 1000)
    return event, bool(jsonschema_rs.is_valid(schema, event))
