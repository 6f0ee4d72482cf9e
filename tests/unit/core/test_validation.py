"""What a manifest must hold, and how each error reads: its field, what is wrong, what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headrace.core.load import load

Read = Callable[[Any], list[str]]


def put(manifest: dict[str, Any], path: str, value: Any) -> None:
    """Set `spec.topics.0.name`; a list index may be one past the end."""
    *parents, last = path.split(".")
    node: Any = manifest
    for part in parents:
        node = node[int(part)] if isinstance(node, list) else node[part]
    if isinstance(node, list):
        node[int(last) : int(last) + 1] = [value]
    else:
        node[last] = value


def schema(**properties: Any) -> dict[str, str]:
    return {"definition": json.dumps({"type": "object", "required": list(properties), "properties": properties})}


def test_a_valid_manifest_has_no_problem(manifest: dict[str, Any], problems: Read) -> None:
    assert problems(manifest) == []


CASES: list[tuple[str, Any, str]] = [
    # shape
    ("apiVersion", "v1", "apiVersion: must be one of 'headrace.dev/v1alpha1', not 'v1'"),
    ("kind", "StreamPipline", "kind: 'StreamPipline' is no kind that is read here (did you mean 'StreamPipeline'?)"),
    ("metadata.name", "Shop", "metadata.name: must be lower-case letters, digits and -"),
    ("metadata.name", "x" * 64, "metadata.name: has more than 63 characters"),
    ("spec.topic", [], "spec.topic: is not a field here (did you mean 'topics'?)"),
    ("spec.topics.0.partitions", "6", "spec.topics[0].partitions: must be a whole number, not '6'"),
    ("spec.topics.0.partitions", 0, "spec.topics[0].partitions: must be at least 1"),
    ("spec.topics.0.partitions", True, "spec.topics[0].partitions: must be a whole number, not true"),
    ("spec.topics.0.partition", 3, "spec.topics[0].partition: is not a field here (did you mean 'partitions'?)"),
    ("spec.topics.0.name", "a" * 101, "spec.topics[0].name: has more than 100 characters"),
    ("spec.topics.0.retention", "5 days", "spec.topics[0].retention: is not a duration: write days"),
    ("spec.topics.0.retention", "9999999999d", "spec.topics[0].retention: is longer than ten years"),
    ("spec.topics", [], "spec.topics: needs at least 1"),
    ("spec.jobs.0.guarantee", "ExactlyTwice", "must be one of 'ExactlyOnce' or 'AtLeastOnce', not 'ExactlyTwice'"),
    ("spec.ingest.0.auth", None, "spec.ingest[0].auth: must be a mapping, not nothing"),
    # references
    ("spec.jobs.0.inputs", ["clickz"], "spec.jobs[0].inputs[0]: 'clickz' is no declared topic (did you mean 'clicks'?)"),
    ("spec.jobs.0.output", "nowhere", "spec.jobs[0].output: 'nowhere' is no declared topic (known here: clicks, page_views)"),
    ("spec.ingest.0.topic", "clack", "spec.ingest[0].topic: 'clack' is no declared topic"),
    ("spec.sinks.0.topic", "clack", "spec.sinks[0].topic: 'clack' is no declared topic"),
    ("spec.views.0.topic", "clicks", "spec.views[0].topic: 'clicks' is not compacted"),
    # fields of the schema
    ("spec.topics.0.keyFields", ["user"], "spec.topics[0].keyFields[0]: 'user' is no field of the schema"),
    ("spec.topics.0.keyFields", ["price"], "spec.topics[0].keyFields[0]: 'price' is DOUBLE, which cannot be a key field"),
    ("spec.topics.0.keyFields", ["tags"], "'tags' is ARRAY<STRING>, which cannot be a key field"),
    ("spec.topics.0.id.field", "tags", "spec.topics[0].id.field: 'tags' is ARRAY<STRING>, which cannot be an id"),
    ("spec.topics.0.eventTime.field", "page", "spec.topics[0].eventTime.field: 'page' is STRING, which cannot be an event time"),
    ("spec.topics.0.eventTime.field", "when", "spec.topics[0].eventTime.field: 'when' is no field of the schema"),
    ("spec.topics.1.keyFields", [], "spec.topics[1].cleanupPolicy: compact keeps the newest event per key"),
    ("spec.topics.0.cleanupPolicy", ["delete", "delete"], "spec.topics[0].cleanupPolicy: names a policy twice"),
    # schemas
    ("spec.topics.0.schema.definition", "{", "spec.topics[0].schema.definition: is not JSON"),
    ("spec.topics.0.schema.definition", "[]", "spec.topics[0].schema.definition: is not a JSON object"),
    ("spec.topics.0.schema.definition", '{"type": "objekt"}', "spec.topics[0].schema.definition: is not a JSON Schema"),
    ("spec.topics.0.schema.definition", '{"type": "object"}', 'needs "type": "object" and "properties"'),
    ("spec.topics.0.schema.definition", '{"a": 1, "a": 2}', "the key 'a' is there twice"),
    ("spec.topics.0.schema.format", "Avro", "spec.topics[0].schema.definition: is no Avro record"),
    ("spec.topics.0.schema.format", "Protobuf", 'spec.topics[0].schema.definition: must begin with syntax = "proto3";'),
    ("spec.topics.0.schema.message", "Click", "spec.topics[0].schema.message: has no meaning with format JSON"),
    # enrichment
    ("spec.ingest.0.enrich", [{"field": "pagee", "from": "Caller"}], "enrich[0].field: 'pagee' is no field of the schema (did you mean 'page'?)"),
    ("spec.ingest.0.enrich", [{"field": "page", "from": "ReceiveTime"}], "enrich[0].field: 'page' is STRING; ReceiveTime gives a time"),
    ("spec.ingest.0.enrich", [{"field": "occurred_at", "from": "RequestId"}], "'occurred_at' is TIMESTAMP; RequestId gives text"),
    ("spec.ingest.0.enrich", [{"field": "page", "from": "Default"}], "enrich[0].value: is needed from Default"),
    ("spec.ingest.0.enrich", [{"field": "page", "from": "Caller", "value": "x"}], "enrich[0].value: has no meaning from Caller"),
    ("spec.ingest.0.enrich", [{"field": "page", "from": "Constant", "value": 1}], "enrich[0].value: 1 is no value of 'page', which is STRING"),
    ("spec.ingest.0.enrich", [{"field": "page", "from": "Lookup"}], "enrich[0].lookup: is needed from Lookup"),
    (
        "spec.ingest.0.enrich",
        [{"field": "page", "from": "Lookup", "lookup": {"topic": "clicks", "by": "user_id", "field": "page"}}],
        "enrich[0].lookup.topic: 'clicks' is no compacted topic with one key field",
    ),
    ("spec.topics.0.schema", schema(_raw={"type": "string"}), "'_raw', which Headrace keeps for itself"),
    ("spec.topics.0.schema", schema(**{"a;b": {"type": "string"}}), "'a;b': empty, or with ;"),
    ("spec.topics.0.schema", schema(a={"$ref": "http://127.0.0.1/x.json"}), "only #/… inside the definition is allowed"),
    ("spec.topics.0.schema", schema(a={"$ref": "#/properties/a"}), "refers to itself more than 16 levels deep"),
    # writers
    ("spec.ingest.1", {"topic": "page_views"}, "spec.jobs[0].output: 'page_views' is compacted and already written by ingest"),
    ("spec.jobs.0.output", "clicks", "spec.jobs[0].output: 'clicks' feeds this job again"),
    # names
    ("spec.topics.1.name", "clicks", "spec.topics[1].name: 'clicks' is already at topics[0]"),
    ("spec.topics.1.name", "dead-letters", "'dead-letters' and the pipeline's dead-letter topic would get the same"),
    ("spec.jobs.0.name", "j" * 50, "a FlinkDeployment has at most 45"),
    ("spec.sinks.0.name", "views", "spec.sinks[0].name: 'views' is also a job"),
    # SQL
    ("spec.jobs.0.sql", "DROP TABLE clicks", "spec.jobs[0].sql: starts with 'DROP'"),
    ("spec.jobs.0.sql", "SELECT 1 FROM clicks; SELECT 2 FROM clicks", "spec.jobs[0].sql: has more than one statement"),
    ("spec.jobs.0.sql", "SELECT 'open FROM clicks", "spec.jobs[0].sql: a string is never closed"),
    ("spec.jobs.0.sql", "SELECT (1 FROM clicks", "spec.jobs[0].sql: has a ( that is never closed"),
    ("spec.jobs.0.sql", "SELECT * FROM klicks", "spec.jobs[0].sql: reads 'klicks', which is no declared topic"),
    ("spec.jobs.0.sql", "SELECT * FROM page_views", "spec.jobs[0].sql: reads 'page_views', which is not in inputs"),
    ("spec.jobs.0.sql", "SELECT 1", "spec.jobs[0].inputs[0]: 'clicks' is never read by the SQL"),
    ("spec.jobs.0.sql", ";", "spec.jobs[0].sql: is empty"),
    # sinks
    ("spec.jobs.0.inputs", ["clicks", "page_views"], "spec.jobs[0].inputs[1]: 'page_views' is compacted and has no eventTime"),
    ("spec.sinks.0.snowflake.table", "CLICKS", "spec.sinks[0].snowflake.table: must be SCHEMA.TABLE"),
    ("spec.sinks.0.snowflake.table", 'RAW."; DROP', "spec.sinks[0].snowflake.table: must be SCHEMA.TABLE"),
    ("spec.sinks.0.snowflake.method", "Connector", "spec.sinks[0].snowflake.method: Connector is not available"),
    ("spec.sinks.0.snowflake.transforms", [{}], "transforms[0]: needs exactly one of select, rename"),
    ("spec.sinks.0.snowflake.transforms", [{"hash": "nobody"}], "transforms[0].hash: 'nobody' is no column at this point"),
    ("spec.sinks.0.snowflake.transforms", [{"hash": "tags"}], "only a single value can be changed"),
    ("spec.sinks.0.snowflake.transforms", [{"select": ["page"]}], "drops or masks 'event_id'"),
    ("spec.sinks.0.snowflake.transforms", [{"rename": {"field": "page", "to": "PRICE"}}], "leaves two columns 'PRICE'"),
    ("spec.sinks.0.snowflake.transforms", [{"hash": "page"}, {"mask": {"field": "page"}}], "already changed by a hash"),
    ("spec.sinks.0.snowflake.transforms", [{"cast": {"field": "price", "to": "DATE"}}], "'price' is DOUBLE and cannot be cast to DATE"),
    ("spec.sinks.0.snowflake.batch", {"interval": "1ms"}, "batch.interval: must be between 100ms and 1h"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "value", "expected"), CASES, ids=lambda v: v if isinstance(v, str) and v.startswith("spec") else ""
)
def test_validate_err(manifest: dict[str, Any], problems: Read, path: str, value: Any, expected: str) -> None:
    put(manifest, path, value)
    found = problems(manifest)
    assert any(expected in problem for problem in found), found


PLATFORM = """\
apiVersion: headrace.dev/v1alpha1
kind: StreamPlatform
metadata: {name: default}
spec:
  kafka: {cluster: main, topicPrefix: team}
  registry: {url: registry.local}
  flink: {checkpointStorage: "s3://bucket/checkpoints"}
  auth: {issuer: "https://id.example.com", jwksUrl: "https://id.example.com/keys"}
  images: {headrace: "headrace:0.1.0", flink: "headrace-flink:0.1.0"}
  snowflake: {account: a, user: u, database: D, privateKey: {name: key, key: p8}, password: secret}
"""


def test_a_platform_is_checked_for_its_shape() -> None:
    assert [str(problem).split(": ", 1)[1] for problem in load(PLATFORM).problems] == [
        "spec.kafka.topicPrefix: must be empty, or letters, digits, _ and - with a dot at the end",
        "spec.registry.url: must be an http:// or https:// address",
        "spec.snowflake.password: is not a field here (known here: account, database, privateKey, role, user, warehouse)",
    ]
    fixed = (
        PLATFORM.replace("team", "team.")
        .replace("registry.local", "https://registry")
        .replace(", password: secret", "")
    )
    (platform,) = load(fixed).platforms
    assert platform.spec.kafka.listener.name == "tls"


def test_external_topics_are_read_only(manifest: dict[str, Any], problems: Read) -> None:
    put(manifest, "spec.topics.0.external", {"kafkaName": "legacy.clicks"})
    found = problems(manifest)
    assert any("spec.topics[0].partitions: is its owner's to set" in p for p in found)
    assert any("spec.ingest[0].topic: 'clicks' is external" in p for p in found)


def test_jobs_that_feed_each_other_in_a_circle_are_refused(manifest: dict[str, Any], problems: Read) -> None:
    plain = {k: v for k, v in manifest["spec"]["topics"][0].items() if k != "id"}
    manifest["spec"]["topics"] += [{**plain, "name": "a"}, {**plain, "name": "b"}]
    manifest["spec"]["jobs"] += [
        {"name": "ab", "inputs": ["a"], "output": "b", "sql": "SELECT * FROM a"},
        {"name": "ba", "inputs": ["b"], "output": "a", "sql": "SELECT * FROM b"},
    ]
    assert sum("feeds this job again" in p for p in problems(manifest)) == 2


def test_an_id_without_event_time_is_refused(manifest: dict[str, Any], problems: Read) -> None:
    del manifest["spec"]["topics"][0]["eventTime"]
    found = problems(manifest)
    assert any("spec.topics[0].id: needs an eventTime" in p for p in found)
    assert any("window over 'clicks', which has no eventTime" in p for p in found)


def test_every_error_comes_at_once_with_its_line() -> None:
    text = """\
apiVersion: headrace.dev/v1alpha1
kind: StreamPipeline
metadata: {name: shop}
spec:
  topics:
    - name: clicks
      partitions: many
      keyField: [user_id]
      schema: {definition: "{}"}
  jobs:
    - name: views
      inputs: [clicks]
      output: nowhere
"""
    found = [str(problem) for problem in load(text, "shop.yaml").problems]
    assert found == [
        "shop.yaml:7:7: spec.topics[0].partitions: must be a whole number, not 'many'",
        "shop.yaml:8:7: spec.topics[0].keyField: is not a field here (did you mean 'keyFields'?)",
        "shop.yaml:11:7: spec.jobs[0].sql: is required",
    ]


def test_a_problem_in_the_sql_has_the_line_in_the_file() -> None:
    text = Path(__file__).with_name("sql_error.yaml").read_text(encoding="utf-8")
    (problem,) = load(text, "sql_error.yaml").problems
    line = text.splitlines()[(problem.line or 0) - 1]
    assert "nobody" in line
    assert "nobody" in problem.message
