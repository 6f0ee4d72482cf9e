"""A small valid pipeline that each test bends in one place, and readers of what comes out."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from headrace.core.documents import Auth, SnowflakeConnection
from headrace.core.load import load
from headrace.core.pipeline import Pipeline
from headrace.core.platform import FlinkDefaults, Platform

CLICKS = {
    "type": "object",
    "required": ["event_id", "user_id", "page", "occurred_at"],
    "properties": {
        "event_id": {"type": "string"},
        "user_id": {"type": "string"},
        "page": {"type": "string"},
        "price": {"type": "number"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "occurred_at": {"type": "string", "format": "date-time"},
    },
}
VIEWS = {
    "type": "object",
    "required": ["page", "window_start", "views"],
    "properties": {
        "page": {"type": "string"},
        "window_start": {"type": "string", "format": "date-time"},
        "views": {"type": "integer"},
    },
}
SQL = """SELECT page, window_start, COUNT(*) AS `views`
FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(occurred_at), INTERVAL '1' MINUTE))
GROUP BY page, window_start, window_end"""

MANIFEST: dict[str, Any] = {
    "apiVersion": "headrace.dev/v1alpha1",
    "kind": "StreamPipeline",
    "metadata": {"name": "shop"},
    "spec": {
        "topics": [
            {
                "name": "clicks",
                "partitions": 6,
                "keyFields": ["user_id"],
                "id": {"field": "event_id", "window": "1h"},
                "eventTime": {"field": "occurred_at", "outOfOrderness": "5s"},
                "schema": {"definition": json.dumps(CLICKS)},
            },
            {
                "name": "page_views",
                "keyFields": ["page", "window_start"],
                "cleanupPolicy": ["compact", "delete"],
                "schema": {"definition": json.dumps(VIEWS)},
            },
        ],
        "ingest": [{"topic": "clicks"}],
        "jobs": [{"name": "views", "inputs": ["clicks"], "output": "page_views", "sql": SQL}],
        "views": [{"name": "page-views", "topic": "page_views"}],
        "sinks": [
            {
                "name": "raw",
                "topic": "clicks",
                "snowflake": {"table": "RAW.CLICKS", "transforms": [{"hash": "user_id"}]},
            }
        ],
    },
}


@pytest.fixture
def manifest() -> dict[str, Any]:
    """A valid manifest as plain values; change it freely."""
    return copy.deepcopy(MANIFEST)


@pytest.fixture
def problems() -> Callable[[Any], list[str]]:
    """Every problem of a manifest, as `path: message (hint)`, without the line."""

    def read(manifest: Any) -> list[str]:
        text = manifest if isinstance(manifest, (str, bytes)) else yaml.safe_dump(manifest, sort_keys=False)
        return [str(problem).split(": ", 1)[1] if problem.line else str(problem) for problem in load(text).problems]

    return read


@pytest.fixture
def pipeline() -> Callable[[Any], Pipeline]:
    """The one pipeline of a valid manifest."""

    def read(manifest: Any) -> Pipeline:
        text = manifest if isinstance(manifest, str) else yaml.safe_dump(manifest, sort_keys=False)
        loaded = load(text)
        assert not loaded.problems, [str(problem) for problem in loaded.problems]
        return loaded.pipelines[0]

    return read


@pytest.fixture
def platform() -> Platform:
    """A platform whose addresses never change, for golden files."""
    return Platform(
        name="default",
        kafka=(("bootstrap.servers", "127.0.0.1:9092"),),
        registry_url="http://127.0.0.1:8081",
        flink=FlinkDefaults("/state/checkpoints", "/state/savepoints"),
        auth=Auth(issuer="https://headrace.local", audience="headrace", jwks_file="/state/jwks.json"),
        snowflake=SnowflakeConnection(account="local", user="headrace", host="127.0.0.1", port=8888, protocol="http"),
        database="HEADRACE",
    )
