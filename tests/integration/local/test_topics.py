"""Topics on the real broker: what a step says happens, and what is observed afterwards needs no further step."""

from __future__ import annotations

import asyncio

import pytest

from headrace.core.diff import Action, Change, Step
from headrace.core.plan import KafkaTopic
from headrace.local.state import TopicRecord
from headrace.local.topics import Topics

pytestmark = pytest.mark.integration


def topic(name: str, partitions: int = 2, retention: str | None = None) -> KafkaTopic:
    settings = {"cleanup.policy": "delete", **({"retention.ms": retention} if retention else {})}
    return KafkaTopic(name, partitions, tuple(sorted(settings.items())), "Retain")


def test_a_topic_is_made_changed_and_deleted(kafka: str, topic_prefix: str) -> None:
    topics, name = Topics(kafka), topic_prefix + "clicks"
    record = {name: TopicRecord(owner="shop", deletion_policy="Delete")}

    async def life() -> None:
        wanted = topic(name, retention="60000")
        await topics.apply(Step(Action.CREATE, wanted.id, wanted))
        seen = (await topics.observe(record))[name]
        assert (seen.partitions, seen.owner, seen.deletion_policy) == (2, "shop", "Delete")
        assert seen.config == {"cleanup.policy": "delete", "retention.ms": "60000"}

        wider = topic(name, 5, "120000")
        changes = (Change("partitions", "2", "5"), Change("retention.ms", "60000", "120000"))
        await topics.apply(Step(Action.CHANGE, wider.id, wider, changes))
        seen = (await topics.observe({}))[name]
        assert (seen.partitions, seen.config["retention.ms"], seen.owner) == (5, "120000", None)

        await topics.apply(Step(Action.DELETE, wanted.id))
        assert name not in await topics.observe(record)

    asyncio.run(life())


def test_a_topic_that_came_to_be_meanwhile_is_no_failure(kafka: str, topic_prefix: str) -> None:
    topics, wanted = Topics(kafka), topic(topic_prefix + "clicks")

    async def twice() -> None:
        for _ in range(2):
            await topics.apply(Step(Action.CREATE, wanted.id, wanted))

    asyncio.run(twice())


def test_a_broker_that_is_away_may_come_back() -> None:
    with pytest.raises(OSError, match="does not answer"):
        asyncio.run(Topics("127.0.0.1:1", seconds=2).observe({}))
