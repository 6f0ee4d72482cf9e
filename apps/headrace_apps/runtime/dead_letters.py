"""Records into the dead-letter topic, acknowledged before the offsets advance. Beside `work`, and used by handlers.

A crash between the acknowledgement and the commit of the offsets makes the next run meet the same records again. A
handler that knows since when can first `recall` which letters of them are in the topic, and they are left out. Two
consumers that hold one partition at the same time can still both write a letter; a reader tells it by stage, topic,
partition and offset.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from threading import Event
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from headrace.core import dead_letter
from headrace_apps.runtime.client import LARGEST_RECORD_BYTES, TOO_LARGE, client_config
from headrace_apps.runtime.handler import StopError
from headrace_apps.runtime.records import Record
from headrace_apps.runtime.written_letters import Address, KafkaUnavailableError, Position, fetch_written

FLUSH_SECONDS = 1.0

log = logging.getLogger(__name__)


class Letter(NamedTuple):
    """A record that will not be done; `error` is one line for a person."""

    record: Record
    reason: dead_letter.Reason
    error: str


class DeadLetterTopic:
    """Not for several threads. `now` is the letters' time."""

    def __init__(self, kafka: Mapping[str, str], address: Address, now: Callable[[], datetime], stop: Event) -> None:
        self._kafka = kafka
        self._address = address
        self._now = now
        self._stop = stop
        self._written: set[Position] = set()
        self._in_doubt_since: int | None = None
        self._refused: KafkaError | None = None
        self._too_large: StopError | None = None
        self._producer: Producer | None = None

    def write(self, letters: Iterable[Letter]) -> None:
        """Return when the brokers have acknowledged all of them; those that they have already are left out.

        Raises StopError for a letter that is larger than Kafka takes: it will not be smaller the next time.
        Raises KafkaUnavailableError; a later call writes only what is missing. What was sent without an answer, as
        after a delivery time-out, may be in the topic all the same: so the later call looks there first.
        """
        missing = self._missing(letters)
        if missing and self._in_doubt_since is not None:
            first: dict[int, int] = {}
            for letter in missing:
                partition, offset = letter.record.partition, letter.record.offset
                first[partition] = min(offset, first.get(partition, offset))
            self.recall(first, self._in_doubt_since)
            missing = self._missing(missing)
        self._in_doubt_since = None
        if not missing:
            return
        started = int(self._now().timestamp() * 1000)
        try:
            self._send(missing)
        except (KafkaUnavailableError, KafkaException, StopError):
            self._in_doubt_since = started
            self._producer = None  # a fatal error stays with its client
            raise

    def _missing(self, letters: Iterable[Letter]) -> list[Letter]:
        return [x for x in letters if (x.record.partition, x.record.offset) not in self._written]

    def _send(self, missing: Sequence[Letter]) -> None:
        producer = self._connect()
        self._refused = self._too_large = None
        for letter in missing:
            record = letter.record
            headers: list[tuple[str, str | bytes | None]] = []
            headers += dead_letter.envelope_headers(
                record.headers,
                stage=self._address.stage,
                reason=letter.reason,
                error=letter.error,
                origin=dead_letter.Origin(self._address.source, record.partition, record.offset),
                time=self._now(),
            )
            while not self._produced(producer, letter, headers):
                # Room comes with the acknowledgements of those before; leaving here would send these once more.
                self._flush(producer)
                if self._stop.is_set():
                    raise KafkaUnavailableError("stopped while dead letters were on their way")
        while self._flush(producer) and not self._stop.is_set():
            pass
        if self._too_large is not None:
            raise self._too_large
        if self._refused is not None:
            raise KafkaUnavailableError(self._refused.str())
        if self._missing(missing):
            raise KafkaUnavailableError("stopped while dead letters were on their way")

    def _produced(self, producer: Producer, letter: Letter, headers: list[tuple[str, str | bytes | None]]) -> bool:
        """Whether the producer had room for it."""
        record = letter.record
        acknowledged = self._acknowledged(record)
        try:
            producer.produce(
                self._address.topic, value=record.value, key=record.key, headers=headers, on_delivery=acknowledged
            )
        except BufferError:
            return False
        except KafkaException as error:
            if error.args[0].code() in TOO_LARGE:
                raise self._not_taken(record, error.args[0]) from error
            raise
        return True

    def _not_taken(self, record: Record, error: KafkaError) -> StopError:
        address = self._address
        size = len(record.value or b"") + len(record.key or b"")
        return StopError(
            f"topic {address.source}, partition {record.partition}, offset {record.offset}: the record of {size:,} "
            f"bytes does not fit into {address.topic} as a dead letter ({error.str()}), and is not dropped. "
            f"Raise max.message.bytes of {address.topic}"
        )

    def _flush(self, producer: Producer) -> int:
        """Wait a little for acknowledgements; how many are missing then."""
        left = producer.flush(FLUSH_SECONDS)
        if left:
            log.info("waiting for Kafka to take %d dead letters", left)
        return left

    @property
    def written(self) -> AbstractSet[Position]:
        """The records, as far as they are not settled, whose letters are known to be in the topic."""
        return self._written

    def settled(self, ends: Mapping[int, int]) -> None:
        """Records before these offsets will not be met again."""
        self._written = {(p, offset) for p, offset in self._written if offset >= ends.get(p, 0)}

    def recall(self, positions: Mapping[int, int], since: int) -> None:
        """Find the letters about records at or beyond these positions, written after `since` (epoch milliseconds).

        Raises KafkaUnavailableError.
        """
        found = fetch_written(self._kafka, self._address, since, self._stop)
        self._written |= {(p, offset) for p, offset in found if p in positions and offset >= positions[p]}

    def _acknowledged(self, record: Record) -> Callable[[KafkaError | None, Message], None]:
        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is None:
                self._written.add((record.partition, record.offset))
            elif error.code() in TOO_LARGE:
                self._too_large = self._not_taken(record, error)
            else:
                self._refused = error

        return delivered

    def _connect(self) -> Producer:
        if self._producer is None:
            settings: dict[str, Any] = {
                "message.max.bytes": LARGEST_RECORD_BYTES,
                **client_config(self._kafka),
                "acks": "all",
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "linger.ms": 5,
            }
            self._producer = Producer(settings)
        return self._producer
