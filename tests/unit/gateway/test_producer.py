"""The producer without a broker: every event gets its outcome, whatever librdkafka does with it."""

from __future__ import annotations

import asyncio

from headrace_apps.gateway.producer import KafkaEventProducer, NotStored, Record, producer_config

NOWHERE = {"bootstrap.servers": "127.0.0.1:9", "log_level": "0"}


def test_with_no_broker_and_a_full_queue_every_event_fails_in_its_place() -> None:
    async def story() -> None:
        small = {**NOWHERE, "queue.buffering.max.messages": "10"}
        producer = KafkaEventProducer(small, delivery_timeout=0.5)
        batches = [[Record("t", b"k", b"%d" % i, []) for i in range(count)] for count in (7, 20, 1)]
        async with asyncio.timeout(60):
            answers = await asyncio.gather(*(producer.store(batch, 1_795_376_545_622) for batch in batches))
        assert [len(answer) for answer in answers] == [7, 20, 1]
        assert all(isinstance(delivery, NotStored) for answer in answers for delivery in answer)
        full = [isinstance(d, NotStored) and "queue is full" in d.message for d in answers[1]]
        assert full == [False] * 3 + [True] * 17
        assert producer.in_flight == 0
        assert producer.outage
        await producer.close(5)

    asyncio.run(story())


def test_an_event_that_no_broker_takes_says_so() -> None:
    async def story() -> None:
        producer = KafkaEventProducer({**NOWHERE, "message.max.bytes": "1000"}, delivery_timeout=0.5)
        (delivery,) = await producer.store([Record("t", None, b"x" * 2000, [])], 0)
        assert isinstance(delivery, NotStored)
        assert delivery.too_large
        await producer.close(5)

    asyncio.run(story())


def test_a_close_waits_no_longer_than_it_is_told() -> None:
    async def story() -> None:
        producer = KafkaEventProducer(NOWHERE, delivery_timeout=60)
        waiting = asyncio.create_task(producer.store([Record("t", None, b"x", [])], 0))
        await asyncio.sleep(0)
        assert producer.in_flight == 1
        async with asyncio.timeout(30):
            await producer.close(0.2)
        waiting.cancel()

    asyncio.run(story())


def test_the_document_cannot_weaken_the_guarantee() -> None:
    config = producer_config({"acks": "0", "enable.idempotence": "false", "linger.ms": "50"}, 15)
    assert (config["acks"], config["enable.idempotence"], config["linger.ms"]) == ("all", True, "50")
    assert config["partitioner"] == "murmur2_random"
