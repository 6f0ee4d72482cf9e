"""An external producer: it writes malformed bytes straight into the topic, past the gateway, and into the ledger."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from random import Random

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from headrace_apps.demo.clickstream import CLICKS, MARK, kafka_topic
from headrace_apps.demo.ledger import Answer, LedgerWriter, Outcome, Sent
from headrace_apps.demo.malformed import malformed_records
from headrace_apps.demo.sender import Tally

DELIVERY_SECONDS = 120


class ExternalProducer:
    """Idempotent, so a broker that dies and comes back holds each record exactly once. Use it in one thread."""

    def __init__(self, bootstrap: str, ledger: LedgerWriter, tally: Tally, rng: Random) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "message.timeout.ms": DELIVERY_SECONDS * 1000,
                "reconnect.backoff.max.ms": 1000,
                "log_level": 0,
                "error_cb": lambda _: None,  # an outage is part of the demo; what is lost shows in the ledger
            }
        )
        self._ledger = ledger
        self._tally = tally
        self._rng = rng
        self._waiting: deque[Sent] = deque()

    def partitions(self) -> int:
        """How many partitions the topic has. Raises KafkaException."""
        topic = kafka_topic(CLICKS)
        return len(self._producer.list_topics(topic, timeout=DELIVERY_SECONDS).topics[topic].partitions)

    def produce_one(self) -> None:
        """Write the next malformed record; its delivery enters the ledger while later calls run."""
        if not self._waiting:
            self._waiting.extend(malformed_records(self._rng))
        sent = self._waiting.popleft()
        batch = self._ledger.record_sent([sent])
        delivered: Callable[[KafkaError | None, Message], None] = partial(self._delivered, batch)
        self._producer.produce(
            kafka_topic(CLICKS),
            sent.raw,
            f"external-{self._rng.randrange(1000)}".encode(),
            headers=[(MARK, sent.id.encode())],
            on_delivery=delivered,
        )
        self._producer.poll(0)

    def poll(self) -> None:
        """Let deliveries into the ledger."""
        self._producer.poll(0)

    def flush(self) -> int:
        """Wait for what is under way; the number of records without an answer."""
        try:
            return self._producer.flush(DELIVERY_SECONDS)
        except KafkaException:
            return len(self._producer)

    def _delivered(self, batch: int, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self._tally.malformed += 1
            self._ledger.record_answers(batch, [Answer(Outcome.ACCEPTED, message.partition(), message.offset())])
