"""The outside producer: a part of the events in another maker's bytes, and malformed ones, straight into the topics."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from random import Random

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.schema_registry.error import SchemaRegistryError

from headrace_apps.demo.api import Away
from headrace_apps.demo.ledger import Answer, Kind, LedgerWriter, Outcome, Sent
from headrace_apps.demo.sample import Manifest, Sample
from headrace_apps.demo.sender import Tally
from headrace_apps.demo.wire import Wire

DELIVERY_SECONDS = 120

MARK = "demo.malformed"
"""The Kafka header by which a malformed record is known again in the dead-letter topic."""


class ExternalProducer:
    """Idempotent, so a broker that dies and comes back holds each record exactly once. Use it in one thread."""

    def __init__(
        self,
        sample: Sample,
        manifest: Manifest,
        wire: Wire,
        *,
        bootstrap: str,
        ledger: LedgerWriter,
        tally: Tally,
        rng: Random,
    ) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "linger.ms": 0,
                "partitioner": "murmur2_random",
                "message.timeout.ms": DELIVERY_SECONDS * 1000,
                "reconnect.backoff.max.ms": 1000,
                "log_level": 0,
                "error_cb": lambda _: None,  # an outage is part of the demo; what is lost shows in the ledger
            }
        )
        self._sample = sample
        self._manifest = manifest
        self._wire = wire
        self._ledger = ledger
        self._tally = tally
        self._rng = rng
        self._waiting: deque[tuple[str, bytes | None]] = deque()

    def partitions(self) -> int:
        """Of the topic that takes the events. Raises KafkaException."""
        topic = self._manifest.kafka(self._sample.events)
        return len(self._producer.list_topics(topic, timeout=30).topics[topic].partitions)

    def send(self, topic: str, batch: Sequence[Sent]) -> list[Answer | None]:
        """A batch, acknowledged when this returns: what is sent next, by whichever route, comes after it."""
        answers: list[Answer | None] = [None] * len(batch)

        def delivered(index: int, error: KafkaError | None, message: Message) -> None:
            if error is None:
                answers[index] = Answer(Outcome.ACCEPTED, message.partition(), message.offset())

        for index, sent in enumerate(batch):
            try:
                value = None if sent.event is None else self._wire.encode(topic, sent.event)
            except (SchemaRegistryError, OSError) as error:
                raise Away(f"the registry: {error}") from error
            self._producer.produce(
                self._manifest.kafka(topic),
                value,
                self._key(topic, sent),
                timestamp=sent.at,
                on_delivery=partial(delivered, index),
            )
        self.flush()
        return answers

    def _key(self, topic: str, sent: Sent) -> bytes:
        """Of one text field, as those of the samples' inputs are; a tombstone's id is its key."""
        [field] = self._manifest.topics[topic].key_fields
        return str(sent.event[field] if sent.event else sent.id).encode()

    def produce_malformed(self) -> None:
        """Write the next malformed record; its delivery enters the ledger while later calls run."""
        if not self._waiting:
            records = self._sample.malformed(self._rng, self._wire)
            self._rng.shuffle(records)
            self._waiting.extend(records)
        name, raw = self._waiting.popleft()
        identity = f"{name.replace(' ', '-')}/{self._rng.getrandbits(64):016x}"
        sent = Sent(identity, Kind.MALFORMED, self._sample.events, raw=raw)
        batch = self._ledger.record_sent([sent])
        delivered: Callable[[KafkaError | None, Message], None] = partial(self._delivered, batch)
        self._producer.produce(
            self._manifest.kafka(sent.topic),
            raw,
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
