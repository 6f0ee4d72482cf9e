"""Writes what becomes of letters: a record sent again and its resolution are one transaction, or the resolution alone.

The order that makes a redrive exact (docs/adr/0011-dead-letters-and-the-local-tool.md):
1. `Resolver()` takes the pipeline's one transactional id. The broker ends what a killed run left open, and fences a run
   that still lives: from here on nobody else resolves.
2. Only then the archive is read: it shows all that was resolved before.
3. Each batch commits records and resolutions together: a letter is sent and resolved, or neither.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import NamedTuple, Self

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from headrace.core import dead_letter
from headrace_apps.dead_letters.letter import Fate, Letter
from headrace_apps.dead_letters.outgoing import Outgoing

TRANSACTION_SECONDS = 60
BROKER_SECONDS = 30.0
COMMIT_ATTEMPTS = 4


class ResolveError(Exception):
    """Kafka did not take a batch, of which nothing counts; or another run took over. Worded for a person."""


class Resolver:
    """A context manager: leaving it ends what is open. `now` gives a time with a zone. Raises ResolveError."""

    def __init__(self, kafka: Mapping[str, str], topic: str, now: Callable[[], datetime]) -> None:
        self._topic, self._now = topic, now
        self._refused: KafkaError | None = None
        self._sent: dict[_Identity, str] = {}
        self._producer = Producer(
            {
                "log_level": 2,
                **kafka,
                "transactional.id": f"{topic}.redrive",
                "transaction.timeout.ms": TRANSACTION_SECONDS * 1000,
                "partitioner": "murmur2_random",
                "compression.type": "lz4",
                "linger.ms": 5,
            }
        )
        try:
            self._producer.init_transactions(BROKER_SECONDS)
        except KafkaException as error:
            raise ResolveError(f"Kafka gives no transaction for {topic}: {error.args[0].str()}") from error

    def redrive(self, batch: Sequence[Outgoing]) -> None:
        """Sends each again and marks its letter, all or none.

        Several stages can have a letter about one record. Its readers must not meet it as often: within a run it is
        sent once, and all its letters are marked with that.
        """
        with _Transaction(self._producer):
            places: dict[_Identity, str] = {}
            for outgoing in batch:
                identity = _identity(outgoing)
                if identity in self._sent or identity in places:
                    continue
                places[identity] = ""
                record = _Written(outgoing.topic, outgoing.key, outgoing.value, outgoing.headers)
                self._produce(record, self._noted(places, identity))
            self._acknowledged()
            known = self._sent | places
            for outgoing in batch:
                self._resolve(outgoing.letter, "redriven", f"{outgoing.topic}-{known[_identity(outgoing)]}")
            self._acknowledged()
        self._sent |= places

    def discard(self, letters: Sequence[Letter]) -> None:
        """Marks them; the letters stay."""
        with _Transaction(self._producer):
            for letter in letters:
                self._resolve(letter, "discarded", None)
            self._acknowledged()

    def _resolve(self, letter: Letter, fate: Fate, sent_to: str | None) -> None:
        headers: list[tuple[str, bytes | None]] = [
            (dead_letter.RESOLVES, letter.place.encode()),
            (dead_letter.RESOLUTION, fate.encode()),
            (dead_letter.TIME, dead_letter.rfc3339(self._now()).encode()),
        ]
        if sent_to is not None:
            headers.append((dead_letter.SENT_TO, sent_to.encode()))
        # In the letter's own partition: it comes behind the letter, and retention takes it after the letter.
        record = _Written(self._topic, letter.record.key, None, headers, letter.record.partition)
        self._produce(record, self._noted({}, None))

    def _produce(self, record: _Written, noted: Callable[[KafkaError | None, Message], None]) -> None:
        headers: list[tuple[str, str | bytes | None]] = list(record.headers)
        while True:
            try:
                self._producer.produce(
                    record.topic, record.value, record.key, record.partition, headers=headers, on_delivery=noted
                )
            except BufferError:
                self._producer.poll(0.5)  # room comes with acknowledgements
            else:
                return

    def _noted(
        self, places: dict[_Identity, str], identity: _Identity | None
    ) -> Callable[[KafkaError | None, Message], None]:
        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                self._refused = error
            elif identity is not None:
                places[identity] = f"{message.partition()}-{message.offset()}"

        return delivered

    def _acknowledged(self) -> None:
        left = self._producer.flush(BROKER_SECONDS)
        refused, self._refused = self._refused, None
        if refused is not None:
            raise KafkaException(refused)
        if left:
            raise ResolveError(f"Kafka did not acknowledge within {BROKER_SECONDS:.0f} s")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._producer.flush(1.0)


_Identity = tuple[str, bytes]
"""The record that a letter is about, and a digest of what is sent for it."""


def _identity(outgoing: Outgoing) -> _Identity:
    """A letter of the gateway is about no record: it stands for itself."""
    about = outgoing.letter.about if outgoing.letter.partition is not None else outgoing.letter.place
    content = hashlib.sha256(repr((outgoing.key, outgoing.value)).encode())
    return about, content.digest()


class _Written(NamedTuple):
    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    partition: int = -1


class _Transaction:
    """Commits at the end of the block, aborts when it fails; KafkaException becomes ResolveError."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer

    def __enter__(self) -> None:
        try:
            self._producer.begin_transaction()
        except KafkaException as error:
            raise _worded(error) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self._commit()
            return
        self._abort()
        if isinstance(error, KafkaException):
            raise _worded(error) from error

    def _commit(self) -> None:
        for _ in range(COMMIT_ATTEMPTS):
            try:
                self._producer.commit_transaction(BROKER_SECONDS)
            except KafkaException as error:
                if error.args[0].retriable():  # asked again, the answer is the first one's
                    continue
                if error.args[0].txn_requires_abort():
                    self._abort()
                raise _worded(error) from error
            else:
                return
        raise ResolveError("Kafka does not say whether it took the last batch; run this again: each is sent once")

    def _abort(self) -> None:
        try:
            self._producer.abort_transaction(BROKER_SECONDS)
        except KafkaException:
            return  # whoever takes the transactional id next ends it


def _worded(error: KafkaException) -> ResolveError:
    cause: KafkaError = error.args[0]
    if cause.code() in (KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED):
        return ResolveError("another `headrace dlq` works on these letters and took over; run this again after it")
    return ResolveError(f"Kafka did not take the batch, and nothing of it counts: {cause.str()}")
