"""Rendering never fails and never makes what an API server refuses, whatever a valid pipeline is called and holds."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from headrace.core.load import load
from headrace.kubernetes.render import find_mismatches
from headrace.kubernetes.text import Manifest, to_yaml

from .kinds import faults
from .rendered import OWNER, PLATFORMS, objects

# Names at both ends of what is allowed, and of the words that the names of objects are made of.
LABELS = ["a", "job", "sink-a", "a-job-b", "gateway", "views", "a-views", "b-sink-b9", "x" * 40, "9a", "a" + "-b" * 15]
TOPICS = ["a", "job", "sink_a", "a-b", "a_b", "gateway_views", "t" * 100]
COLUMNS = {"id": {"type": "string"}, "at": {"type": "string", "format": "date-time"}, "n": {"type": "integer"}}
SCHEMA = {"definition": json.dumps({"type": "object", "required": list(COLUMNS), "properties": COLUMNS})}
LIMITS = {
    "FlinkDeployment": 45,
    "StatefulSet": 52,
    "Service": 63,
    "Deployment": 63,
    "ScaledObject": 63,
    "KafkaUser": 64,
}
DNS_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?)?")


@st.composite
def manifests(draw: st.DrawFn) -> dict[str, Any]:
    """A pipeline of up to four topics: some taken in, some written by jobs, some viewed, some loaded."""
    names = draw(st.permutations(TOPICS))[: draw(st.integers(2, 4))]
    source, *others = names
    topics: list[dict[str, Any]] = [{"name": source, "keyFields": ["id"], "schema": SCHEMA}]
    jobs: list[dict[str, Any]] = []
    views: list[dict[str, Any]] = []
    sinks: list[dict[str, Any]] = []
    called = iter(draw(st.permutations(LABELS)))
    for name in others:
        compacted = draw(st.booleans())
        topics.append(
            {
                "name": name,
                "keyFields": ["id"],
                "schema": SCHEMA,
                "deletionPolicy": draw(st.sampled_from(["Retain", "Delete"])),
            }
        )
        if compacted:
            topics[-1]["cleanupPolicy"] = ["compact"]
            views.append({"name": next(called), "topic": name})
        guarantee = draw(st.sampled_from(["ExactlyOnce", "AtLeastOnce"]))
        sql = f"SELECT id, `at`, n FROM `{source}`"
        jobs.append({"name": next(called), "inputs": [source], "output": name, "guarantee": guarantee, "sql": sql})
        if draw(st.booleans()):
            sinks.append({"name": next(called), "topic": name, "snowflake": {"table": f"RAW.T{len(sinks)}"}})
    if draw(st.booleans()):
        topics[0]["external"] = {"kafkaName": draw(st.sampled_from(["legacy.Orders", "_", "a-b"]))}
    ingest = (
        []
        if "external" in topics[0]
        else [{"topic": source, "onInvalid": draw(st.sampled_from(["Reject", "DeadLetter"]))}]
    )
    spec = {"topics": topics, "ingest": ingest, "jobs": jobs, "views": views, "sinks": sinks}
    head = {"apiVersion": "headrace.dev/v1alpha1", "kind": "StreamPipeline"}
    return {**head, "metadata": {"name": draw(st.sampled_from(LABELS))}, "spec": spec}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(manifests(), st.sampled_from(sorted(PLATFORMS)))
def test_whatever_is_valid_becomes_objects_that_are(manifest: dict[str, Any], platform: str) -> None:
    loaded = load(yaml.dump(manifest, Dumper=yaml.CSafeDumper))
    assume(not loaded.problems)  # two of a kind with one name, mostly
    (pipeline,) = loaded.pipelines
    assume(not find_mismatches(pipeline, PLATFORMS[platform]))
    made = objects(pipeline, PLATFORMS[platform], owner=OWNER)
    assert len({(m["kind"], m["metadata"]["name"]) for m in made}) == len(made)
    for item in made:
        assert faults(item, None) == []
        check_names(item)
    assert list(yaml.load_all(to_yaml(made), yaml.CSafeLoader)) == list(made)


def check_names(manifest: Manifest) -> None:
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    if kind in LIMITS:
        assert len(name) <= LIMITS[kind]
        assert DNS_1035.fullmatch(name)
    assert len(name) <= 253
    for value in manifest["metadata"]["labels"].values():
        assert LABEL_VALUE.fullmatch(value)
