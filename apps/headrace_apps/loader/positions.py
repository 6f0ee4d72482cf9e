"""Where a partition is read from: the offsets table decides, never the consumer group. Pure; `loader` does the I/O.

A stored offset that the topic no longer has is not guessed around: that would lose or repeat records without a word.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from headrace_apps.loader.sink import StoredPosition
from headrace_apps.runtime import Span, StopError


class PositionLostError(StopError):
    """What was stored does not fit the topic; the sink stops until somebody decides."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The offsets a partition has: from `first`, to before `end`."""

    first: int
    end: int


def plan_positions(
    topic: str, topic_id: str, bounds: Mapping[int, Bounds], stored: Mapping[int, StoredPosition], remedy: str
) -> tuple[dict[int, int], dict[int, int]]:
    """Where each partition of `bounds` is read from, and those of them that are new: these start at the first record.

    `remedy` names the sink's rows of the offsets table ("the rows of … WHERE …"). Raises PositionLostError: the topic
    was created anew, or the stored offset lies outside of what it has.
    """
    positions, new = {}, {}
    for partition, available in sorted(bounds.items()):
        position = stored.get(partition)
        if position is None:
            positions[partition] = new[partition] = available.first
            continue
        if topic_id and position.topic_id and position.topic_id != topic_id:
            raise PositionLostError(
                f"topic {topic} was deleted and created again since the last load (its id was {position.topic_id}, "
                f"now {topic_id}). To load the new topic from its start, delete {remedy}"
            )
        if position.next_offset > available.end:
            raise PositionLostError(
                f"topic {topic}, partition {partition} ends at offset {available.end}, but {position.next_offset} "
                f"would be next: the topic was created again or lost records. To load it from its start, "
                f"delete {remedy}"
            )
        if position.next_offset < available.first:
            raise PositionLostError(
                f"topic {topic}, partition {partition}: offsets {position.next_offset} to {available.first - 1} were "
                "deleted by retention before they were loaded. To go on without them, set NEXT_OFFSET to "
                f'{available.first} in {remedy} AND "PARTITION" = {partition}'
            )
        positions[partition] = position.next_offset
    return positions, new


def plan_touched(
    positions: Mapping[int, int], spans: Mapping[int, Span], written: AbstractSet[tuple[int, int]]
) -> dict[int, Span]:
    """Empty spans for the partitions in hand that a batch has nothing of: its commit sets their UPDATED_AT too.

    From there a new loader looks for letters, so without this a quiet partition would make it read the dead letters of
    months. `written` are letters (partition, offset): a partition with one about a record that is still to be loaded
    keeps its time, or that letter would not be found after a crash and be written again.
    """
    waiting = {partition for partition, offset in written if offset >= positions.get(partition, offset + 1)}
    return {
        partition: Span(offset, offset)
        for partition, offset in positions.items()
        if partition not in spans and partition not in waiting
    }
