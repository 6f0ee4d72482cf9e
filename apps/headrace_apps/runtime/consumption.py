"""What a consumer is to do: the runtime's settings, in one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from headrace_apps.runtime.lanes import BatchSize, Room


@dataclass(frozen=True, slots=True)
class Consumption:
    """What to read, and how. `group` None: all partitions, for a handler that keeps its positions itself.

    `markers_seconds`: partitions that only grew by transaction markers are stepped over this often; else retention,
    deleting the markers, would look as if records had been lost. `drain_seconds` bounds what is begun after the stop
    signal, and how long partitions that go to somebody else are kept for their work in progress.
    """

    kafka: Mapping[str, str]
    topic: str
    group: str | None
    member: str | None = None
    batch: BatchSize = field(default_factory=BatchSize)
    room: Room = field(default_factory=Room)
    workers: int = 4
    attempts: int = 5
    markers_seconds: float = 60.0
    drain_seconds: float = 30.0
