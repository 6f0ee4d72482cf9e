"""The loader's flow, from topic to table; everything it does is named here.

    source.poll … take → builder.build → dead letters written → sink.load (rows and offsets in one transaction)
                       → counted → source.advance

What may go wrong, and where it ends: an outage waits (`patience`); a row the table refuses is found and dead-lettered
(`poison`); a fence that does not hold means somebody else loaded the batch, and the positions are read again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from threading import Event

from headrace.core.documents import LoaderDocument
from headrace_apps.loader.batches import Batch, BatchBuilder
from headrace_apps.loader.dead_letters import DeadLetterTopic
from headrace_apps.loader.lag import LagWatch
from headrace_apps.loader.metrics import LoaderMetrics, Readiness
from headrace_apps.loader.patience import WAITED_FOR, Patience
from headrace_apps.loader.poison import find_refused
from headrace_apps.loader.positions import plan_positions, plan_touched
from headrace_apps.loader.session import DataRefusedError, OutageError
from headrace_apps.loader.sink import FencedError, Loaded, SnowflakeSink
from headrace_apps.loader.source import Source
from headrace_apps.loader.statements import OFFSETS_TABLE
from headrace_apps.loader.topic import fetch_topic_id

MARKERS_ONLY_SECONDS = 60.0
"""Partitions that only grew by transaction markers are stepped over this often: else retention, deleting the markers,
would look as if records had been lost."""

log = logging.getLogger(__name__)


class Loader:
    """One sink's loader. `clock` gives seconds since 1970."""

    def __init__(
        self,
        document: LoaderDocument,
        sink: SnowflakeSink,
        builder: BatchBuilder,
        dead_letters: DeadLetterTopic,
        *,
        metrics: LoaderMetrics,
        readiness: Readiness,
        stop: Event,
        clock: Callable[[], float],
    ) -> None:
        self._document = document
        self._sink = sink
        self._builder = builder
        self._dead_letters = dead_letters
        self._metrics = metrics
        self._readiness = readiness
        self._stop = stop
        self._clock = clock
        self._patience = Patience(stop, self._before_retry)
        self._source = Source(document, self._find_positions)
        self._lag = LagWatch(document, self._source, metrics)
        self._last_load = clock()

    def run(self) -> None:
        """Load until the stop signal: then the batch in hand is finished, unless something it needs is away.

        Raises what only a person can mend: SourceError, PositionLostError, TableMismatchError, NotAllowedError,
        EveryRowRefusedError; KafkaException where the client gives up.
        """
        try:
            # Before joining the group: whoever joins takes partitions from those who can load.
            self._patience.call("reach Snowflake", self._prepare)
            self._source.open()
            while not self._stop.is_set():
                self._source.poll()
                self._readiness.joined = self._source.joined
                self._metrics.set_in_hand(self._source.in_hand)
                self._lag.update()
                long_idle = self._clock() - self._last_load > MARKERS_ONLY_SECONDS
                if self._source.due or (not self._source.in_hand and long_idle):
                    self._load_batch()
            self._load_batch()
        except WAITED_FOR as error:
            if not self._stop.is_set():
                raise
            # Only the stop signal ends the waiting. Nothing of the batch is stored, so nothing of it is lost.
            log.warning("stopped while waiting; the batch in hand will be read again: %s", error)
        finally:
            self._source.close()
            self._sink.disconnect()

    def _load_batch(self) -> None:
        started = time.monotonic()
        records, spans = self._source.take()
        if spans:
            positions = {partition: self._source.position(partition) for partition in self._source.assigned}
            spans = {**spans, **plan_touched(positions, spans, self._dead_letters.written)}
            self._settle(self._builder.build(records, spans, int(self._clock() * 1000)), started)

    def _settle(self, batch: Batch, started: float) -> None:
        """One batch to its end: loaded, or left to whoever loaded it already."""
        while True:
            try:
                # Acknowledged before the offsets advance: a crash in between repeats a letter, never loses one.
                self._patience.call("write dead letters", partial(self._dead_letters.write, batch.dead_letters))
                loaded = self._patience.call("load", partial(self._load, batch))
                break
            except DataRefusedError as error:
                log.warning("looking for the rows that the table refuses: %s", error)
                batch = batch.without(find_refused(batch, error, self._try_load))
            except FencedError as error:
                log.warning("%s: reading positions again", error)
                self._source.rewind()
                return
        self._count(batch, loaded, started)
        self._source.advance(batch.spans)
        self._dead_letters.settled({partition: span.end for partition, span in batch.spans.items()})

    def _load(self, batch: Batch) -> Loaded:
        self._prepare()
        return self._sink.load(batch)

    def _try_load(self, batch: Batch) -> DataRefusedError | None:
        def attempt() -> DataRefusedError | None:
            self._prepare()
            return self._sink.try_load(batch)

        return self._patience.call("look for refused rows", attempt)

    def _prepare(self) -> None:
        self._sink.prepare()
        self._readiness.connected = True

    def _before_retry(self, error: BaseException) -> None:
        self._metrics.count_retry()
        if isinstance(error, OutageError):
            self._readiness.connected = False
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
        self._last_load = self._clock()
        self._metrics.count_batch(counts, time.monotonic() - started, self._last_load)

    def _find_positions(self, partitions: Sequence[int]) -> Mapping[int, int]:
        """From where to read these partitions; stores the start of new ones."""
        return self._patience.call("find positions", lambda: self._fetch_positions(partitions))

    def _fetch_positions(self, partitions: Sequence[int]) -> Mapping[int, int]:
        self._prepare()
        document = self._document
        topic = document.topic.kafka_topic
        topic_id = fetch_topic_id(document.kafka, topic)
        stored = self._sink.fetch_positions()
        table = f'"{document.table.database}"."{document.table.schema_}"."{OFFSETS_TABLE}"'
        rows = f"the rows of {table} WHERE \"SINK\" = '{document.group_id}' AND \"TOPIC\" = '{topic}'"
        positions, new = plan_positions(topic, topic_id, self._source.fetch_bounds(partitions), stored, rows)
        if new:
            self._sink.register_positions(new, topic_id)
        known = [stored[partition].updated for partition in positions if partition in stored]
        if known:
            self._dead_letters.recall(positions, min(known))
        return positions
