"""The CRDs' rules, run as an API server runs them: what each refuses, and that it refuses nothing else."""

from __future__ import annotations

from typing import Any

import cel
import pytest

from headrace.kubernetes.crd.rules import PIPELINE_RULES, PLATFORM_RULES

RULES = PIPELINE_RULES | PLATFORM_RULES
JSON = {"format": "JSON", "compatibility": "BACKWARD", "definition": "{}"}
PLAIN = {"name": "clicks", "schema": JSON}
COMPACTED = {"name": "pages", "schema": JSON, "cleanupPolicy": ["compact"], "keyFields": ["page"]}
EXTERNAL = {"name": "orders", "schema": JSON, "external": {"kafkaName": "legacy.orders"}}
KAFKA = {"cluster": "main", "topicPrefix": "team."}


def refusals(path: str, new: Any, old: Any = None) -> list[str]:
    """The messages of the rules at that path that refuse `new`, or the change from `old` to it."""
    told = []
    for rule in RULES[path]:
        changes = "oldSelf" in rule.rule
        if changes and old is None:
            continue  # as the API server does when an entry is new
        if cel.evaluate(rule.rule, {"self": new, "oldSelf": old} if changes else {"self": new}) is not True:
            told.append(rule.message)
    return told


REFUSED_CHANGES = [
    ("spec.platformRef", {"name": "a"}, {"name": "b"}, "another platform"),
    ("spec.topics[]", PLAIN, PLAIN | {"external": {"kafkaName": "x"}}, "external cannot change"),
    ("spec.topics[]", EXTERNAL, {k: v for k, v in EXTERNAL.items() if k != "external"}, "external cannot change"),
    ("spec.topics[]", EXTERNAL, EXTERNAL | {"external": {"kafkaName": "new.orders"}}, "external cannot change"),
    ("spec.topics[]", PLAIN, PLAIN | {"schema": JSON | {"format": "Avro"}}, "schema.format cannot change"),
    ("spec.topics[]", PLAIN | {"partitions": 6}, PLAIN | {"partitions": 5}, "never shrink"),
    ("spec.topics[]", PLAIN | {"partitions": 6}, PLAIN, "never shrink"),
    ("spec.topics[]", PLAIN, PLAIN | {"partitions": 2}, "never shrink"),
    ("spec.topics[]", COMPACTED, COMPACTED | {"keyFields": ["page", "day"]}, "keyFields of a compacted topic"),
    ("spec.kafka", KAFKA, KAFKA | {"cluster": "other"}, "cluster and topicPrefix"),
    ("spec.kafka", KAFKA, KAFKA | {"topicPrefix": ""}, "cluster and topicPrefix"),
]


@pytest.mark.parametrize(("path", "old", "new", "told"), REFUSED_CHANGES)
def test_a_change_that_nothing_could_make_good_is_refused(path: str, old: Any, new: Any, told: str) -> None:
    (message,) = refusals(path, new, old)
    assert told in message
    assert refusals(path, old, old) == []


ALLOWED_CHANGES = [
    (PLAIN, PLAIN | {"partitions": 3}),
    (PLAIN, PLAIN | {"partitions": 12}),
    (PLAIN, PLAIN | {"keyFields": ["user_id"]}),  # loses the order over the change, which `plan` tells
    (PLAIN, PLAIN | {"schema": JSON | {"definition": '{"type": "object"}', "compatibility": "FULL"}}),
    (PLAIN | {"keyFields": ["page"]}, COMPACTED | {"keyFields": ["page"]}),
    (COMPACTED, COMPACTED | {"cleanupPolicy": ["compact", "delete"]}),
    (EXTERNAL, EXTERNAL | {"eventTime": {"field": "at"}}),
]


@pytest.mark.parametrize(("old", "new"), ALLOWED_CHANGES)
def test_any_other_change_of_a_topic_is_taken(old: Any, new: Any) -> None:
    assert refusals("spec.topics[]", new, old) == []


REFUSED_SHAPES = [
    ("spec.topics[]", EXTERNAL | {"partitions": 3}, "an external topic is its owner's"),
    ("spec.topics[]", EXTERNAL | {"retention": "7d"}, "an external topic is its owner's"),
    ("spec.topics[]", {k: v for k, v in COMPACTED.items() if k != "keyFields"}, "say which keyFields"),
    ("spec.topics[]", COMPACTED | {"keyFields": []}, "say which keyFields"),
    ("spec.topics[].schema", JSON | {"message": "Event"}, "Protobuf"),
    ("spec.ingest[].enrich[]", {"field": "a", "from": "Lookup"}, "lookup goes with"),
    ("spec.ingest[].enrich[]", {"field": "a", "from": "Caller", "lookup": {"topic": "t"}}, "lookup goes with"),
    ("spec.sinks[].snowflake.transforms[]", {}, "exactly one"),
    ("spec.sinks[].snowflake.transforms[]", {"hash": "a", "select": ["a"]}, "exactly one"),
    ("spec.gateway", {"minReplicas": 3, "maxReplicas": 2}, "minReplicas"),
    ("spec.loader", {"minReplicas": 3, "maxReplicas": 2}, "minReplicas"),
]


@pytest.mark.parametrize(("path", "value", "told"), REFUSED_SHAPES)
def test_a_shape_that_means_nothing_is_refused(path: str, value: Any, told: str) -> None:
    (message,) = refusals(path, value)
    assert told in message


TAKEN_SHAPES = [
    ("spec.topics[]", PLAIN),
    ("spec.topics[]", COMPACTED),
    ("spec.topics[]", EXTERNAL),
    ("spec.topics[].schema", JSON | {"format": "Protobuf", "message": "Event"}),
    ("spec.ingest[].enrich[]", {"field": "a", "from": "Lookup", "lookup": {"topic": "t"}}),
    ("spec.ingest[].enrich[]", {"field": "a", "from": "ReceiveTime"}),
    *(
        ("spec.sinks[].snowflake.transforms[]", {kind: {"field": "a"}})
        for kind in ("select", "rename", "cast", "mask", "hash")
    ),
    ("spec.gateway", {"minReplicas": 2, "maxReplicas": 2}),
]


@pytest.mark.parametrize(("path", "value"), TAKEN_SHAPES)
def test_a_right_shape_is_taken(path: str, value: Any) -> None:
    assert refusals(path, value) == []


def test_every_rule_is_tried() -> None:
    tried = {(path, told) for path, _, _, told in REFUSED_CHANGES} | {(path, told) for path, _, told in REFUSED_SHAPES}
    for path, rules in RULES.items():
        for rule in rules:
            assert any(path == where and told in rule.message for where, told in tried), rule
