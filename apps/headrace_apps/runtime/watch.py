"""Where the topic begins and ends, and how many partitions it has: asked of the broker by a thread of its own.

Ends are last stable offsets, as far as a read_committed reader gets. Used by `runtime`, for lag and for new partitions.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from headrace_apps.runtime.client import BROKER_SECONDS, client_config
from headrace_apps.runtime.handler import OutageError

EVERY_SECONDS = 1.0
ANSWER_SECONDS = BROKER_SECONDS + 5
"""How long Python waits for an answer: longer than the request may take, so that its error says what went wrong."""
SLOWLY_EVERY = 5
"""Partitions are counted, and beginnings asked for, with every so many looks at the ends."""

log = logging.getLogger(__name__)


class TopicOffsets(Protocol):
    """What is asked of the broker; tests answer themselves. All raise KafkaException or OutageError."""

    def partitions(self) -> list[int]: ...

    def begins(self, partitions: Iterable[int]) -> dict[int, int]: ...

    def ends(self, partitions: Iterable[int]) -> dict[int, int]: ...


class BrokerTopic:
    """The broker's own answers about one topic."""

    def __init__(self, kafka: Mapping[str, str], topic: str) -> None:
        self._topic = topic
        self._admin = AdminClient(client_config(kafka))

    def partitions(self) -> list[int]:
        """Empty while there is no such topic."""
        described = self._admin.list_topics(self._topic, timeout=BROKER_SECONDS).topics[self._topic]
        return [] if described.error is not None else sorted(described.partitions)

    def begins(self, partitions: Iterable[int]) -> dict[int, int]:
        return self._ask(partitions, OffsetSpec.earliest())  # type: ignore[no-untyped-call]

    def ends(self, partitions: Iterable[int]) -> dict[int, int]:
        return self._ask(partitions, OffsetSpec.latest())  # type: ignore[no-untyped-call]

    def _ask(self, partitions: Iterable[int], spec: OffsetSpec) -> dict[int, int]:
        wanted = {TopicPartition(self._topic, partition): spec for partition in partitions}
        if not wanted:
            return {}
        try:
            return self._list(wanted)
        except KafkaException:
            # After a broker came back librdkafka goes on asking with the leader epoch of before, and is refused for
            # ever (FENCED_LEADER_EPOCH): only an explicit metadata request tells it the new one.
            self._admin.list_topics(self._topic, timeout=BROKER_SECONDS)
            return self._list(wanted)

    def _list(self, wanted: Mapping[TopicPartition, OffsetSpec]) -> dict[int, int]:
        futures = self._admin.list_offsets(
            dict(wanted), isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=BROKER_SECONDS
        )
        try:
            return {at.partition: int(future.result(ANSWER_SECONDS).offset) for at, future in futures.items()}
        except TimeoutError as error:  # nobody waits for Python's own
            raise OutageError(f"no answer within {ANSWER_SECONDS} s about the offsets of {self._topic}") from error


@dataclass(frozen=True, slots=True)
class Seen:
    """One look. `asked` is when it began, by the watch's clock: what was in the topic then lies before `ends`.
    `begins` are from an earlier one, at `begins_asked`."""

    asked: float
    begins_asked: float
    begins: Mapping[int, int]
    ends: Mapping[int, int]


class TopicWatch:
    """Start it once; `seen` is None until the broker has answered for the first time."""

    def __init__(self, topic: TopicOffsets, clock: Callable[[], float] = time.time) -> None:
        self._topic = topic
        self._clock = clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="topic-watch", daemon=True)
        self.seen: Seen | None = None

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Does not wait for an answer that is under way."""
        self._stop.set()

    def _run(self) -> None:
        looks = 0
        partitions: list[int] = []
        begins: dict[int, int] = {}
        begins_asked = 0.0
        while not self._stop.is_set():
            try:
                asked = self._clock()
                if looks % SLOWLY_EVERY == 0 or not partitions:
                    partitions, begins_asked = self._topic.partitions(), asked
                    begins = self._topic.begins(partitions)
                ends = self._topic.ends(partitions)
                if partitions:
                    self.seen = Seen(asked, begins_asked, begins, ends)
                looks += 1
            except (KafkaException, OutageError, TimeoutError) as error:
                log.debug("no answer about the topic: %s", error)  # the consumer's own errors are told already
            except Exception:  # without the watch there is no lag any more, and nobody would know why
                log.exception("looking where the topic begins and ends")
            self._stop.wait(EVERY_SECONDS)
