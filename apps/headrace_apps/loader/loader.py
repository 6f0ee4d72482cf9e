"""The loader's flow, from topic to table: what the runtime's one joined handler does with a batch.

    builder.build → dead letters written → sink.load (rows and offsets in one transaction) → counted

What may go wrong, and where it ends: an outage waits (`retry`); a row the table refuses, or that fails whatever is
tried, is found and dead-lettered (`poison`); a fence that does not hold means somebody else loaded the batch, and the
runtime reads the positions again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from headrace.core.dead_letter import Reason
from headrace.core.documents import LoaderDocument
from headrace_apps.loader.batches import Batch, BatchBuilder, DeadLetter
from headrace_apps.loader.metrics import LoaderMetrics, Readiness
from headrace_apps.loader.poison import RowsFailedError, find_refused
from headrace_apps.loader.positions import Bounds, plan_positions, plan_touched
from headrace_apps.loader.rows import Refused
from headrace_apps.loader.session import DataRefusedError
from headrace_apps.loader.sink import Loaded, SnowflakeSink
from headrace_apps.loader.statements import OFFSETS_TABLE
from headrace_apps.records.registry import RegistryAwayError
from headrace_apps.runtime import Batch as Taken
from headrace_apps.runtime import (
    DeadLetterTopic,
    Letter,
    MovedError,
    OutageError,
    Record,
    RefusedError,
    Retry,
    Span,
    StopError,
    TopicOffsets,
)

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Parts:
    """What a loader is put together from. `topic_id` asks Kafka for its id of the topic; `clock` is epoch seconds."""

    sink: SnowflakeSink
    builder: BatchBuilder
    dead_letters: DeadLetterTopic
    metrics: LoaderMetrics
    readiness: Readiness
    topic: TopicOffsets
    topic_id: Callable[[], str]
    clock: Callable[[], float]


class Loader:
    """One sink's loader, all of it on one thread of the runtime whose `retry` this is.

    Raises what only a person can mend: PositionLostError, TableMismatchError, NotAllowedError, EveryRowRefusedError.
    """

    def __init__(self, document: LoaderDocument, parts: Parts, retry: Retry) -> None:
        self._document = document
        self._parts = parts
        self._sink = parts.sink
        self._retry = retry

    def prepare(self) -> None:
        """Log in and make the tables, however long Snowflake is away."""
        self._retry.call("reach Snowflake", self._prepare)

    def find_positions(self, partitions: Sequence[int]) -> Mapping[int, int]:
        """From where to read these partitions; stores the start of new ones."""
        self._prepare()
        document, parts = self._document, self._parts
        topic = document.topic.kafka_topic
        topic_id = parts.topic_id()
        stored = self._sink.fetch_positions()
        begins, ends = parts.topic.begins(partitions), parts.topic.ends(partitions)
        table = f'"{document.table.database}"."{document.table.schema_}"."{OFFSETS_TABLE}"'
        rows = f"the rows of {table} WHERE \"SINK\" = '{document.group_id}' AND \"TOPIC\" = '{topic}'"
        bounds = {partition: Bounds(begins[partition], ends[partition]) for partition in partitions}
        positions, new = plan_positions(topic, topic_id, bounds, stored, rows)
        if new:
            self._sink.register_positions(new, topic_id)
        known = [stored[partition].updated for partition in positions if partition in stored]
        if known:
            parts.dead_letters.recall(positions, min(known))
        return positions

    def handle(self, batch: Taken) -> None:
        """Load the batch to its end. Raises FencedError when it is loaded already."""
        started = time.monotonic()
        parts = self._parts
        spans = {**batch.spans, **plan_touched(batch.positions, batch.spans, parts.dead_letters.written)}
        now = int(parts.clock() * 1000)
        built = self._build(batch.records, spans, now)
        built, loaded = self._settle(built)
        self._count(built, loaded, started)
        parts.dead_letters.settled({partition: span.end for partition, span in spans.items()})

    def _build(self, records: Sequence[Record], spans: Mapping[int, Span], now: int) -> Batch:
        """The batch; records that cannot even be looked at are dead letters of it, found one by one."""

        def build(some: Sequence[Record]) -> Batch:
            try:
                return self._parts.builder.build(some, spans, now)
            except RegistryAwayError as error:
                raise OutageError(str(error)) from error

        attempts = self._document.attempts
        try:
            return self._retry.call("read the schemas of records", partial(build, records), guarded=False)
        except (OutageError, StopError):
            raise
        except Exception:
            log.exception("looking for the records that cannot be read")
        good, bad = [], []
        for record in records:
            try:
                self._retry.call("read a record", partial(build, [record]), attempts, guarded=False)
                good.append(record)
            except (OutageError, StopError):
                raise
            except Exception as error:  # whatever it is, it is this record's
                bad.append(DeadLetter(record, Refused(Reason.FAILED, _failed(attempts, error))))
        batch = build(good)
        return replace(batch, read=len(records), dead_letters=[*batch.dead_letters, *bad])

    def _settle(self, batch: Batch) -> tuple[Batch, Loaded]:
        while True:
            # Acknowledged before the offsets advance: a crash in between repeats a letter, never loses one.
            letters = [
                Letter(letter.record, letter.refused.reason, letter.refused.error) for letter in batch.dead_letters
            ]
            self._retry.call("write dead letters", partial(self._parts.dead_letters.write, letters), guarded=False)
            try:
                return batch, self._try(batch, self._sink.load)
            except DataRefusedError as error:
                log.warning("looking for the rows that the table refuses: %s", error)
                batch = batch.without(find_refused(batch, error, self._try_load))

    def _try(self, batch: Batch, load: Callable[[Batch], T]) -> T:
        def step() -> T:
            self._prepare()
            try:
                return load(batch)
            except OSError as error:  # no room for the file: nothing that a row could do about
                raise OutageError(str(error)) from error
            except (OutageError, StopError, MovedError, RefusedError):
                raise
            except Exception:
                self._sink.disconnect()  # it may be the session's fault: the next attempt has one of its own
                raise

        attempts = self._document.attempts
        try:
            return self._retry.call("load", step, attempts)
        except (OutageError, StopError, MovedError, RefusedError):
            raise
        except Exception as error:
            raise RowsFailedError(_failed(attempts, error)) from error

    def _try_load(self, batch: Batch) -> DataRefusedError | None:
        try:
            return self._try(batch, self._sink.try_load)
        except RowsFailedError as error:
            return error

    def _prepare(self) -> None:
        self._sink.prepare()
        self._parts.readiness.connected = True

    def before_retry(self, error: BaseException) -> None:
        """The session may be what is broken: the next attempt logs in again."""
        if isinstance(error, OutageError):
            self._parts.readiness.connected = False
            self._sink.disconnect()

    def close(self) -> None:
        self._sink.disconnect()

    def _count(self, batch: Batch, loaded: Loaded, started: float) -> None:
        counts = {
            "read": batch.read,
            "loaded": loaded.loaded,
            "duplicate": loaded.duplicate,
            "dead_lettered": len(batch.dead_letters),
        }
        if counts["read"] != counts["loaded"] + counts["duplicate"] + counts["dead_lettered"]:
            log.error("the counts of a batch do not add up: %s", counts)
        if failed := sum(letter.refused.reason is Reason.FAILED for letter in batch.dead_letters):
            self._parts.metrics.count_poison(failed)
        self._parts.metrics.count_batch(counts, time.monotonic() - started, self._parts.clock())


def _failed(attempts: int, error: Exception) -> str:
    return f"failed {attempts} times: {type(error).__name__}: {error}"
