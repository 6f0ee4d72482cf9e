"""Writes what becomes of letters: a record sent again and its resolution are one transaction, or the resolution alone.

The order that makes a redrive exact (docs/adr/0011-dead-letters-and-the-local-tool.md):
1. `Resolver()` takes the pipeline's one transactional id. The broker ends what a killed run left open, and fences a run
   that still lives: from here on nobody else resolves.
2. Only then the archive is read: it shows all that was resolved before.
3. Each batch commits records and resolutions together: a letter is sent and resolved, or neither.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import NamedTuple, Self

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from headrace.core import dead_letter
from headrace_apps.dead_letters.letter import Fate, Letter
from headrace_apps.dead_letters.outgoing import Outgoing
from headrace_apps.runtime.client import LARGEST_RECORD_BYTES, TOO_LARGE

TRANSACTION_SECONDS = 60
BROKER_SECONDS = 30.0
FLUSH_SECONDS = 0.5
COMMIT_ATTEMPTS = 4
FENCED = frozenset({KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED})


class ResolveError(Exception):
    """Kafka did not take a batch, of which nothing counts; or another run took over. Worded for a person."""


class TooLargeError(ResolveError):
    """Kafka takes no records of the size of these letters': `why` by letter place. Nothing of the batch counts, and
    without them it can be sent."""

    def __init__(self, why: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{place}: {text}" for place, text in why.items()))
        self.why = why


class Resolver:
    """A context manager: leaving it ends what is open. `now` gives a time with a zone. Raises ResolveError."""

    def __init__(self, kafka: Mapping[str, str], topic: str, now: Callable[[], datetime]) -> None:
        self._topic, self._now = topic, now
        self._refused: KafkaError | None = None
        self._too_large: dict[str, str] = {}
        self._sent: dict[_Identity, str] = {}
        self._producer = Producer(
            {
                "log_level": 2,
                "message.max.bytes": LARGEST_RECORD_BYTES,
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
            if error.args[0].code() in FENCED:  # another began at the same time
                raise _worded(error.args[0]) from error
            raise ResolveError(f"Kafka gives no transaction for {topic}: {error.args[0].str()}") from error

    def redrive(self, batch: Sequence[Outgoing]) -> None:
        """Sends each again and marks its letter, all or none.

        Several stages can have a letter about one record. Its readers must not meet it as often: within a run it is
        sent once, and all its letters are marked with that. Raises TooLargeError.
        """
        with self._transaction():
            places: dict[_Identity, str] = {}
            for outgoing in batch:
                identity = _identity(outgoing)
                if identity in self._sent or identity in places:
                    continue
                places[identity] = ""
                record = _Written(outgoing.topic, outgoing.key, outgoing.value, outgoing.headers)
                self._produce(record, outgoing.letter, self._noted(places, identity, outgoing.letter))
            self._acknowledged()
            known = self._sent | places
            for outgoing in batch:
                self._resolve(outgoing.letter, "redriven", f"{outgoing.topic}-{known[_identity(outgoing)]}")
            self._acknowledged()
        self._sent |= places

    def discard(self, letters: Sequence[Letter]) -> None:
        """Marks them; the letters stay."""
        with self._transaction():
            for letter in letters:
                self._resolve(letter, "discarded", None)
            self._acknowledged()

    def _transaction(self) -> _Transaction:
        # What the abort of the one before purged has been told by now, and says nothing about this one.
        self._refused, self._too_large = None, {}
        return _Transaction(self._producer)

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
        self._produce(record, letter, self._noted({}, None, letter))

    def _produce(self, record: _Written, letter: Letter, noted: Callable[[KafkaError | None, Message], None]) -> None:
        headers: list[tuple[str, str | bytes | None]] = list(record.headers)
        while True:
            try:
                self._producer.produce(
                    record.topic, record.value, record.key, record.partition, headers=headers, on_delivery=noted
                )
            except BufferError:
                self._producer.poll(0.5)  # room comes with acknowledgements
            except KafkaException as error:
                if error.args[0].code() not in TOO_LARGE:
                    # After a refusal the client takes nothing more: the refusal is what is to be told.
                    self._acknowledged()
                    raise
                self._too_large[letter.place] = _not_taken(record.topic, error.args[0])
                return
            else:
                return

    def _noted(
        self, places: dict[_Identity, str], identity: _Identity | None, letter: Letter
    ) -> Callable[[KafkaError | None, Message], None]:
        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is not None and error.code() in TOO_LARGE:
                self._too_large[letter.place] = _not_taken(message.topic() or "Kafka", error)
            elif error is not None:
                self._refused = self._refused or error  # the first is the cause, those after it are what it did
            elif identity is not None:
                places[identity] = f"{message.partition()}-{message.offset()}"

        return delivered

    def _acknowledged(self) -> None:
        end = time.monotonic() + BROKER_SECONDS
        # After a refusal the client does not send the others: they would be waited for in vain.
        while (left := self._producer.flush(FLUSH_SECONDS)) and time.monotonic() < end:
            if self._too_large or self._refused:
                break
        if self._too_large:
            raise TooLargeError(self._too_large)
        if self._refused is not None:
            raise KafkaException(self._refused)
        if left:
            raise ResolveError(f"Kafka did not acknowledge within {BROKER_SECONDS:.0f} s")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # A client that was fenced says so once more; the run has ended with that already.
        with contextlib.suppress(KafkaException):
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
    """Commits at the end of the block, aborts when it fails; KafkaException becomes ResolveError.

    What fails first is often a follow-up, such as a record that was purged. A fenced client answers every call that
    comes then with why it ended, so what the abort says counts too.
    """

    def __init__(self, producer: Producer) -> None:
        self._producer = producer

    def __enter__(self) -> None:
        try:
            self._producer.begin_transaction()
        except KafkaException as error:
            raise _worded(error.args[0], self._abort()) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self._commit()
            return
        aborting = self._abort()
        if isinstance(error, KafkaException):
            raise _worded(error.args[0], aborting) from error
        if aborting is not None and aborting.code() in FENCED:
            raise _worded(aborting) from error

    def _commit(self) -> None:
        for _ in range(COMMIT_ATTEMPTS):
            try:
                self._producer.commit_transaction(BROKER_SECONDS)
            except KafkaException as error:
                if error.args[0].retriable():  # asked again, the answer is the first one's
                    continue
                ended = error.args[0].txn_requires_abort() or error.args[0].fatal()
                raise _worded(error.args[0], self._abort() if ended else None) from error
            else:
                return
        raise ResolveError("Kafka does not say whether it took the last batch; run this again: each is sent once")

    def _abort(self) -> KafkaError | None:
        """Why there was nothing to abort any more: whoever takes the transactional id next ends it."""
        try:
            self._producer.abort_transaction(BROKER_SECONDS)
        except KafkaException as error:
            failed: KafkaError = error.args[0]
            return failed
        return None


def _not_taken(topic: str, error: KafkaError) -> str:
    return f"is larger than {topic} takes ({error.str()}); raise its max.message.bytes, or discard the letter"


def _worded(cause: KafkaError, aborting: KafkaError | None = None) -> ResolveError:
    if cause.code() in FENCED or (aborting is not None and aborting.code() in FENCED):
        return ResolveError("another `headrace dlq` works on these letters and took over; run this again after it")
    return ResolveError(f"Kafka did not take the batch, and nothing of it counts: {cause.str()}")
