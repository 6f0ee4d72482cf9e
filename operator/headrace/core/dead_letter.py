"""The dead-letter envelope: original key and value bytes, original headers, and these beside them.

The one place that spells the header names (docs/reference/contracts.md, "Dead letters").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

PREFIX = "headrace.dlq."
STAGE = PREFIX + "stage"
REASON = PREFIX + "reason"
ERROR = PREFIX + "error"
TOPIC = PREFIX + "topic"
PARTITION = PREFIX + "partition"
OFFSET = PREFIX + "offset"
ATTEMPT = PREFIX + "attempt"
TIME = PREFIX + "time"

MAX_ERROR_CHARS = 1000

Headers = Sequence[tuple[str, bytes | str | None]]


class Reason(StrEnum):
    MALFORMED = "Malformed"
    SCHEMA_INVALID = "SchemaInvalid"
    LATE = "Late"
    UNLOADABLE = "Unloadable"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the record was read. The gateway has not stored it, so it knows the topic only."""

    topic: str
    partition: int | None = None
    offset: int | None = None


def stage_of_job(job: str) -> str:
    return f"job/{job}"


def stage_of_sink(sink: str) -> str:
    return f"sink/{sink}"


STAGE_GATEWAY = "gateway"


def envelope_headers(
    original: Headers | None,
    *,
    stage: str,
    reason: Reason,
    error: str,
    origin: Origin,
    time: datetime,
    attempt: int = 1,
) -> list[tuple[str, bytes | None]]:
    """The headers of a dead letter: the original ones first, then the envelope's; an older envelope is replaced."""
    kept = [(k, v.encode() if isinstance(v, str) else v) for k, v in original or ()]
    kept = [(k, v) for k, v in kept if not k.startswith(PREFIX)]
    ours = {
        STAGE: stage,
        REASON: reason.value,
        ERROR: " ".join(error.split())[:MAX_ERROR_CHARS],
        TOPIC: origin.topic,
        PARTITION: origin.partition,
        OFFSET: origin.offset,
        ATTEMPT: attempt,
        TIME: rfc3339(time),
    }
    return kept + [(k, str(v).encode()) for k, v in ours.items() if v is not None]


def rfc3339(time: datetime) -> str:
    """UTC with milliseconds and `Z`."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
