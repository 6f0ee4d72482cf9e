"""The dead-letter envelope: original key and value bytes, original headers, and these beside them.

The one place that spells the header names (docs/reference/contracts.md, "Dead letters"). Why resolutions are records of
the same topic, and what rides along with a record that is sent again: ADR 0011.
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

# A resolution: a record in the dead-letter topic that says what became of a letter. It has no stage.
RESOLVES = PREFIX + "resolves"
RESOLUTION = PREFIX + "resolution"
SENT_TO = PREFIX + "sent-to"

# On a record that was sent again. Not under the prefix: an ordinary record must not look like a letter.
CARRIED_ATTEMPT = "headrace.attempt"
REDRIVEN = "headrace.redriven"

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
) -> list[tuple[str, bytes | None]]:
    """The headers of a dead letter: the original ones first, then the envelope's; an older envelope is replaced.

    The attempt is 1, or what the record carries since it was sent again.
    """
    kept = [(k, v.encode() if isinstance(v, str) else v) for k, v in original or ()]
    kept = [(k, v) for k, v in kept if not k.startswith(PREFIX)]
    attempt = carried_attempt(kept)
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


def carried_attempt(headers: Headers) -> int:
    """Which time a record is being processed: 1, or what a redrive wrote (anything else there counts as 1)."""
    text = next((value for name, value in reversed(headers) if name == CARRIED_ATTEMPT), None)
    try:
        return max(1, int(text or 1))
    except ValueError:
        return 1


def resent_headers(letter: Headers, attempt: int, place: str) -> list[tuple[str, bytes | None]]:
    """The headers of a letter's record when it is sent again: the original ones, and which attempt this now is.

    `attempt` is the letter's own, `place` where the letter is (`2-1041`).
    """
    kept = [(k, v.encode() if isinstance(v, str) else v) for k, v in letter]
    kept = [(k, v) for k, v in kept if not k.startswith(PREFIX) and k not in (CARRIED_ATTEMPT, REDRIVEN)]
    return [*kept, (CARRIED_ATTEMPT, str(attempt + 1).encode()), (REDRIVEN, place.encode())]


def rfc3339(time: datetime) -> str:
    """UTC with milliseconds and `Z`."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
