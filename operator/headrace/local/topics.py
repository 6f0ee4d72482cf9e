"""Topics of the local broker: observed with what is set on the topic itself, and steps applied to them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource, ConfigSource
from confluent_kafka.cimpl import NewPartitions, NewTopic

from headrace.core.diff import Action, ObservedTopic, Step
from headrace.core.plan import KafkaTopic
from headrace.local.errors import PartError
from headrace.local.state import TopicRecord

SECONDS = 20.0


class Topics:
    """Asks and changes one broker; `records` say which pipeline made a topic."""

    def __init__(self, bootstrap: str, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})

    async def observe(self, records: Mapping[str, TopicRecord]) -> dict[str, ObservedTopic]:
        """Every topic that is not the broker's own. Raises OSError when the broker does not answer."""
        return await asyncio.to_thread(self._observe, records)

    def _observe(self, records: Mapping[str, TopicRecord]) -> dict[str, ObservedTopic]:
        try:
            topics = {
                name: topic
                for name, topic in self._admin.list_topics(timeout=self._seconds).topics.items()
                if not name.startswith("__")
            }
            resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in topics]
            configs = self._admin.describe_configs(resources, request_timeout=self._seconds) if resources else {}
            set_here = {
                resource.name: {
                    key: entry.value
                    for key, entry in future.result(self._seconds).items()
                    if entry.source == ConfigSource.DYNAMIC_TOPIC_CONFIG.value
                }
                for resource, future in configs.items()
            }
        except (KafkaException, TimeoutError) as error:
            raise OSError(f"the broker does not answer: {error}") from error
        observed = {}
        for name, topic in topics.items():
            record = records.get(name)
            observed[name] = ObservedTopic(
                len(topic.partitions),
                set_here[name],
                record.owner if record else None,
                record.deletion_policy if record else "Retain",
            )
        return observed

    async def apply(self, step: Step) -> None:
        """Creates, changes or deletes one topic. Raises PartError with the broker's words."""
        try:
            await asyncio.to_thread(self._apply, step)
        except (KafkaException, TimeoutError) as error:
            raise PartError(f"cannot {step.action} {step.id}: {error}") from error

    def _apply(self, step: Step) -> None:
        name = step.id.removeprefix("topic/")
        if step.action is Action.DELETE:
            self._wait(self._admin.delete_topics([name], request_timeout=self._seconds))
            return
        topic = step.resource
        if not isinstance(topic, KafkaTopic):
            raise TypeError(step)
        if step.action is Action.CREATE:
            self._create(topic)
            return
        if any(change.what == "partitions" for change in step.changes):
            self._wait(
                self._admin.create_partitions([NewPartitions(name, topic.partitions)], request_timeout=self._seconds)
            )
        entries = [
            ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
            for key, value in topic.config
            if any(change.what == key for change in step.changes)
        ]
        if entries:
            resource = ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=entries)
            self._wait(self._admin.incremental_alter_configs([resource], request_timeout=self._seconds))

    def _create(self, topic: KafkaTopic) -> None:
        wanted = NewTopic(topic.name, num_partitions=topic.partitions, replication_factor=1, config=dict(topic.config))
        try:
            self._wait(self._admin.create_topics([wanted], request_timeout=self._seconds))
        except KafkaException as error:
            # A broker that died while it answered may have made it; the next look compares its settings.
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise

    def _wait(self, futures: Mapping[Any, Any]) -> None:
        for future in futures.values():
            future.result(self._seconds)
