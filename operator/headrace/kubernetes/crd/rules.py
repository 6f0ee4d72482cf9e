"""What a schema cannot say: how lists merge, and the rules (CEL) by which the API server refuses a change or a shape.

A path names a place of the resource, `[]` an entry of a list. A rule that reads `oldSelf` holds for updates only; in a
list-map it compares the entries of one key, so that a removed or added entry is never refused.

Refused here is only what no later step could make good (docs/adr/0014-kubernetes-objects.md). What loses something but
can be wanted (a topic's key, say) is told by `headrace plan` instead.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """`message` is for the person whose `kubectl apply` was refused: what, and what to do."""

    rule: str
    message: str


# Entries are told apart by these fields, so that two appliers may own an entry each; their order means nothing.
PIPELINE_LIST_KEYS = {
    "spec.topics": ("name",),
    "spec.ingest": ("topic",),
    "spec.jobs": ("name",),
    "spec.views": ("name",),
    "spec.sinks": ("name",),
    "status.conditions": ("type",),
    "status.children": ("kind", "name"),
}
PLATFORM_LIST_KEYS = {"status.conditions": ("type",)}
# Lists whose entries cannot repeat. All others are lists whose order counts, owned as a whole ("atomic").
PIPELINE_SETS = frozenset({"spec.topics[].cleanupPolicy", "spec.jobs[].inputs"})

PIPELINE_RULES: dict[str, tuple[Rule, ...]] = {
    "spec.platformRef": (
        Rule("self.name == oldSelf.name", "a pipeline cannot move to another platform: make a new one there"),
    ),
    "spec.topics[]": (
        Rule(
            "has(self.external) == has(oldSelf.external) && "
            "(!has(self.external) || self.external.kafkaName == oldSelf.external.kafkaName)",
            "external cannot change: take the topic out of the pipeline (its data stays), then declare it anew",
        ),
        Rule(
            "self.schema.format == oldSelf.schema.format",
            "schema.format cannot change, for the topic holds events in the old one: declare a new topic",
        ),
        Rule(
            "(has(self.partitions) ? self.partitions : 3) >= (has(oldSelf.partitions) ? oldSelf.partitions : 3)",
            "partitions can grow, never shrink: Kafka cannot take partitions away",
        ),
        Rule(
            "!has(self.cleanupPolicy) || !self.cleanupPolicy.exists(p, p == 'compact') || "
            "(has(self.keyFields) && has(oldSelf.keyFields) && self.keyFields == oldSelf.keyFields) || "
            "!has(oldSelf.cleanupPolicy) || !oldSelf.cleanupPolicy.exists(p, p == 'compact')",
            "keyFields of a compacted topic cannot change, for records under old keys would stay: declare a new topic",
        ),
        Rule(
            "!has(self.external) || (!has(self.partitions) && !has(self.retention))",
            "an external topic is its owner's: remove partitions and retention",
        ),
        Rule(
            "!has(self.cleanupPolicy) || !self.cleanupPolicy.exists(p, p == 'compact') || "
            "(has(self.keyFields) && self.keyFields.size() > 0)",
            "a compacted topic keeps the newest event per key: say which keyFields",
        ),
    ),
    "spec.topics[].schema": (
        Rule("!has(self.message) || self.format == 'Protobuf'", "message is for the format Protobuf"),
    ),
    "spec.ingest[].enrich[]": (
        Rule("has(self.lookup) == (self.from == 'Lookup')", "lookup goes with from: Lookup, and only with it"),
    ),
    "spec.sinks[].snowflake.transforms[]": (
        Rule(
            "(has(self.select) ? 1 : 0) + (has(self.rename) ? 1 : 0) + (has(self.cast) ? 1 : 0) + "
            "(has(self.mask) ? 1 : 0) + (has(self.hash) ? 1 : 0) == 1",
            "a transform is exactly one of select, rename, cast, mask and hash",
        ),
    ),
}
PLATFORM_RULES: dict[str, tuple[Rule, ...]] = {
    "spec.kafka": (
        Rule(
            "self.cluster == oldSelf.cluster && self.topicPrefix == oldSelf.topicPrefix",
            "cluster and topicPrefix cannot change, for pipelines have topics there: make a new platform",
        ),
    ),
    "spec.gateway": (Rule("self.minReplicas <= self.maxReplicas", "minReplicas is more than maxReplicas"),),
    "spec.loader": (Rule("self.minReplicas <= self.maxReplicas", "minReplicas is more than maxReplicas"),),
}
