"""The Kafka consumer: a member of a group, or a reader of all partitions. Messages and assignments out of it.

Under `runtime`. librdkafka calls back from within `read` and `close`, on the thread that called them; what a callback
raises comes out of them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from headrace_apps.runtime.client import BROKER_SECONDS
from headrace_apps.runtime.handler import StopError

_LOST = {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}
_GONE = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.UNKNOWN_TOPIC_ID, KafkaError.TOPIC_AUTHORIZATION_FAILED}

log = logging.getLogger(__name__)

Assigned = Callable[[Sequence[int]], Mapping[int, int]]
"""Partitions that are ours from now on, in; where to read them from, out."""
Taken = Callable[[Sequence[int], bool], None]
"""Partitions that go to somebody else; True: they are gone already, so nothing of them may be committed."""


class Reader:
    """Not for several threads. `config` is librdkafka's."""

    def __init__(self, config: Mapping[str, object], topic: str, assigned: Assigned, taken: Taken) -> None:
        self._topic = topic
        self._assigned = assigned
        self._taken = taken
        self._told: set[int] = set()
        self._consumer = Consumer({**config, "error_cb": self._on_error, "on_commit": self._on_commit})
        self.joined = False
        """It is known which partitions are ours, be it none."""

    def join(self) -> None:
        """As a member of the group: the group tells which partitions."""
        self._consumer.subscribe(
            [self._topic],
            on_assign=self._on_assign,
            on_revoke=lambda consumer, gone: self._on_taken(consumer, gone, lost=False),
            on_lost=lambda consumer, gone: self._on_taken(consumer, gone, lost=True),
        )

    def stand(self, partitions: Sequence[int]) -> None:
        """Without a group: read these too."""
        self.joined = True
        found = self._assigned(partitions)
        self._consumer.incremental_assign(self._places(found))

    def close(self) -> None:
        """Leave the group, so that others take over at once."""
        self._consumer.close()

    def read(self, count: int, size: int, seconds: float) -> list[Message]:
        """Up to `count` messages and about `size` bytes of values, as soon as there is one."""
        first = self._consumer.poll(seconds)
        found = [] if first is None else [first]
        taken = sum(map(len, found))
        while found and len(found) < count and taken < size:
            # The client gives by number only, and compressed records fill its queue with more than it counts: so
            # twice as many each time, as long as what came so far lets expect that they fit.
            fitting = (size - taken) * len(found) // max(taken, 1)
            wanted = max(1, min(2 * len(found), count - len(found), fitting))
            more = self._consumer.consume(wanted, 0)
            found += more
            taken += sum(map(len, more))
            if len(more) < wanted:
                break
        return found

    def explain(self, error: KafkaError) -> bool:
        """True when the position of a partition is lost. Raises StopError when the topic cannot be read at all."""
        if error.code() in _LOST:
            return True
        if error.code() in _GONE:
            raise StopError(f"topic {self._topic} cannot be read: {error.str()}. Is it there, and may we read it?")
        if error.fatal():
            raise StopError(f"the Kafka client gave up: {error.str()}")
        self._on_error(error)
        return False

    def calm(self) -> None:
        """Records come: the next trouble is news again."""
        self._told.clear()

    def pause(self, partitions: Iterable[int]) -> None:
        if wanted := self._places(dict.fromkeys(partitions, 0)):
            self._consumer.pause(wanted)

    def resume(self, partitions: Iterable[int]) -> None:
        if wanted := self._places(dict.fromkeys(partitions, 0)):
            self._consumer.resume(wanted)

    def seek(self, positions: Mapping[int, int]) -> None:
        for place in self._places(positions):
            self._consumer.seek(place)

    def commit(self, positions: Mapping[int, int], *, wait: bool) -> None:
        """Tell the group; that it could not be told is a warning only: the work is done again, or its store knows."""
        if not positions:
            return
        try:
            if wait:
                self._consumer.commit(offsets=self._places(positions), asynchronous=False)
            else:
                self._consumer.commit(offsets=self._places(positions), asynchronous=True)
        except KafkaException as error:
            self._on_commit(error.args[0], [])

    def committed(self, partitions: Sequence[int]) -> dict[int, int]:
        """Where the group stands, and for a partition that it has never read, where that begins.

        Raises KafkaException; StopError when what would be next is gone.
        """
        found = {}
        wanted = self._places(dict.fromkeys(partitions, OFFSET_BEGINNING))
        for place in self._consumer.committed(wanted, timeout=BROKER_SECONDS):
            first, end = self._consumer.get_watermark_offsets(
                TopicPartition(self._topic, place.partition), timeout=BROKER_SECONDS
            )
            if 0 <= place.offset < first:
                raise StopError(
                    f"topic {self._topic}, partition {place.partition}: offsets {place.offset} to {first - 1} were "
                    f"deleted by retention before they were read. To go on without them, set the group's offset"
                )
            if place.offset > end:
                raise StopError(
                    f"topic {self._topic}, partition {place.partition} ends at offset {end}, but the group would go on "
                    f"at {place.offset}: the topic was created again or lost records. Set the group's offset"
                )
            found[place.partition] = place.offset if place.offset >= 0 else first
        return found

    def _places(self, positions: Mapping[int, int]) -> list[TopicPartition]:
        return [TopicPartition(self._topic, partition, offset) for partition, offset in positions.items()]

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self.joined = True
        found = self._assigned([place.partition for place in partitions])
        consumer.incremental_assign(self._places(found))

    def _on_taken(self, consumer: Consumer, partitions: list[TopicPartition], *, lost: bool) -> None:
        self._taken([place.partition for place in partitions], lost)
        consumer.incremental_unassign([TopicPartition(self._topic, place.partition) for place in partitions])

    def _on_commit(self, error: KafkaError | None, places: list[TopicPartition]) -> None:
        """Also what became of a commit that was not waited for."""
        cause = error or next((place.error for place in places if place.error is not None), None)
        if cause is not None:
            log.warning("the group's offsets were not committed: %s", cause.str())

    def _on_error(self, error: KafkaError) -> None:
        """Once per cause, until records come again."""
        if error.code() not in self._told:
            self._told.add(error.code())
            log.warning("waiting for Kafka: %s", error.str())
