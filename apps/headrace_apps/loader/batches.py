"""A batch: Kafka records in, staged rows and dead letters out. Pure; between `source` and `sink`.

Every record that goes in is counted in `read` and comes out exactly once: in a row (of a compacted topic, a row stands
for all records of its key in the batch) or as a dead letter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from headrace.core.columns import TIMESTAMP, Column, Kind
from headrace.core.documents import LoaderDocument
from headrace.core.keys import is_plain
from headrace_apps.loader.layout import Layout
from headrace_apps.loader.rows import Refused, unloadable
from headrace_apps.loader.transforms import Projection
from headrace_apps.records.decoder import JsonDecoder, decoder_of
from headrace_apps.records.instants import FIRST_INSTANT, LAST_INSTANT
from headrace_apps.records.outcome import Refused as NoRow
from headrace_apps.records.outcome import Row
from headrace_apps.records.registry import ConfluentRegistry, Registry
from headrace_apps.runtime.progress import Span
from headrace_apps.runtime.records import Record

StagedRow = tuple[Any, ...]


class DeadLetter(NamedTuple):
    record: Record
    refused: Refused


@dataclass(frozen=True, slots=True)
class Batch:
    """`rows` are in the order of `Layout.staging`; `origins` has the record of each; `spans` are by partition."""

    spans: Mapping[int, Span]
    read: int
    rows: Sequence[StagedRow]
    origins: Sequence[Record]
    dead_letters: Sequence[DeadLetter]

    def part(self, start: int, end: int) -> Batch:
        """The same batch with some of its rows only: what bisection tries."""
        return replace(self, rows=self.rows[start:end], origins=self.origins[start:end])

    def without(self, refused: Mapping[int, Refused]) -> Batch:
        """The rows at these indices become dead letters."""
        kept = [index for index in range(len(self.rows)) if index not in refused]
        return replace(
            self,
            rows=[self.rows[index] for index in kept],
            origins=[self.origins[index] for index in kept],
            dead_letters=[
                *self.dead_letters,
                *(DeadLetter(self.origins[index], error) for index, error in sorted(refused.items())),
            ],
        )


def _in_key(column: Column) -> Column:
    """A key field as Kafka's key holds it: always there, a time as text whatever the value writes."""
    type_ = TIMESTAMP if column.type.kind is Kind.EPOCH_MILLIS else column.type
    return column.model_copy(update={"required": True, "type": type_})


class BatchBuilder:
    """Builds the batches of one sink. Raises ValueError for a document whose rows it could not stage."""

    def __init__(self, document: LoaderDocument, layout: Layout, registry: Registry | None = None) -> None:
        """`registry` is the document's where none is given."""
        if registry is None and document.registry is not None:
            registry = ConfluentRegistry(document.registry.url)
        self._document = document
        self._layout = layout
        self._decoder = decoder_of(document.topic.schema_, document.fields, registry)
        self._projection = Projection(document.columns, document.fields)
        fields = {field.name: field for field in document.fields}
        keys = [fields[name] for name in document.topic.key_fields if name in fields]
        self._key_fields = [key.name for key in keys]
        self._plain_key = is_plain(keys)
        self._key_decoder = JsonDecoder([_in_key(key) for key in keys])
        names = [column.name for column in layout.staging]
        self._key_at = [names.index(key) for key in layout.keys]

    def build(self, records: Iterable[Record], spans: Mapping[int, Span], now: int) -> Batch:
        """`records` in the order they were consumed; `now` (epoch milliseconds) becomes their load time. Raises
        RegistryAwayError where a schema is not known yet; nothing is kept, so it can be called again."""
        read = 0
        rows: list[StagedRow] = []
        origins: list[Record] = []
        dead_letters: list[DeadLetter] = []
        by_key: dict[StagedRow, int] = {}
        for record in records:
            read += 1
            staged = self._stage(record, len(rows), now)
            if isinstance(staged, Refused):
                dead_letters.append(DeadLetter(record, staged))
                continue
            if self._key_at:
                key = tuple(staged[index] for index in self._key_at)
                earlier = by_key.setdefault(key, len(rows))
                if earlier < len(rows):
                    rows[earlier] = _fold(rows[earlier], staged)
                    origins[earlier] = record
                    continue
            rows.append(staged)
            origins.append(record)
        return Batch(spans, read, rows, origins, dead_letters)

    def _stage(self, record: Record, row: int, now: int) -> StagedRow | Refused:
        document = self._document
        decoded, tombstone = self._decode(record)
        if isinstance(decoded, Refused):
            return decoded
        values = decoded.values
        if document.topic.compacted:
            for field in self._key_fields:
                if values[field] is None:
                    return unloadable(f"key field {field} is null or missing")
        projected = self._projection.apply(values)
        if isinstance(projected, Refused):
            return projected
        event_time = values.get(document.event_time_field) if document.event_time_field else None
        if event_time is None:
            event_time = record.timestamp if FIRST_INSTANT <= record.timestamp <= LAST_INSTANT else now
        metadata = (document.topic.kafka_topic, record.partition, record.offset, event_time, now)
        return (*projected, *metadata, row, 1, tombstone)

    def _decode(self, record: Record) -> tuple[Row | Refused, bool]:
        """The record's row, and whether it is a tombstone's: its key fields alone."""
        outcome = self._decoder.row(record.value)
        if isinstance(outcome, Row):
            return outcome, False
        if isinstance(outcome, NoRow):
            return unloadable(outcome.error), False
        if not self._document.topic.compacted:
            return unloadable("the value is null, and the topic is not compacted"), False
        return self._decode_key(record.key), True

    def _decode_key(self, key: bytes | None) -> Row | Refused:
        """The key fields of a tombstone: all there is to tell which row it deletes."""
        if key is None:
            return unloadable("a tombstone without a key")
        if self._plain_key:
            try:
                return Row({self._key_fields[0]: key.decode()})
            except UnicodeDecodeError:
                return unloadable("the key of a tombstone is not UTF-8")
        outcome = self._key_decoder.row(key)
        if isinstance(outcome, Row):
            return outcome
        error = outcome.error if isinstance(outcome, NoRow) else "it is null"
        return unloadable(f"the key of a tombstone: {error}")


def _fold(earlier: StagedRow, later: StagedRow) -> StagedRow:
    """The later record of one key, in the earlier one's place, standing for both (Layout.CONTROL's order)."""
    *values, _, _, tombstone = later
    row, folded = earlier[-3], earlier[-2]
    return (*values, row, folded + 1, tombstone)


class Repeats:
    """Which staged rows repeat an id within its window, given what the table already has. Pure."""

    def __init__(self, layout: Layout, window_ms: int) -> None:
        names = [column.name for column in layout.staging]
        self._id_at = names.index(layout.id or "")
        self._time_at = len(layout.table) - 2
        self._row_at = len(layout.table)
        self._window_ms = window_ms

    def time_range(self, rows: Sequence[StagedRow]) -> tuple[int, int]:
        """The earliest and latest event time of the rows, of which there is at least one."""
        times = [row[self._time_at] for row in rows]
        return min(times), max(times)

    def find(self, rows: Sequence[StagedRow], loaded: AbstractSet[int]) -> AbstractSet[int]:
        """Row numbers to leave out: the first of equal ids wins, also over later ones of this batch.

        `loaded` are the numbers of rows whose id the table holds within the window. A row is judged against rows that
        are or will be in the table, never against one that is itself left out.
        """
        repeats: set[int] = set()
        kept: dict[Any, list[int]] = {}
        for staged in rows:
            identity, time, row = staged[self._id_at], staged[self._time_at], staged[self._row_at]
            if identity is None:
                continue
            times = kept.setdefault(identity, [])
            if row in loaded or any(abs(time - other) <= self._window_ms for other in times):
                repeats.add(row)
            else:
                times.append(time)
        return repeats
