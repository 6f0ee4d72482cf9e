"""KafkaTopics: what Strimzi's topic operator makes. A retained one has no owner, so that nothing takes it along."""

from __future__ import annotations

from headrace.core.plan import KafkaTopic
from headrace.kubernetes.render.names import topic_object_name
from headrace.kubernetes.render.target import Target, common_labels, metadata
from headrace.kubernetes.text import Manifest

CLUSTER_LABEL = "strimzi.io/cluster"


def render_topic(topic: KafkaTopic, target: Target) -> Manifest:
    kafka = target.platform.kafka
    labels = {
        **common_labels(target),
        "app.kubernetes.io/component": "topic",
        CLUSTER_LABEL: kafka.cluster,  # by which the topic operator knows its own
    }
    return {
        "apiVersion": "kafka.strimzi.io/v1",
        "kind": "KafkaTopic",
        "metadata": metadata(target, topic_object_name(topic.name), labels, owned=topic.deletion_policy == "Delete"),
        "spec": {
            "topicName": topic.name,
            "partitions": topic.partitions,
            "replicas": kafka.replication_factor,
            "config": dict(topic.config),
        },
    }
