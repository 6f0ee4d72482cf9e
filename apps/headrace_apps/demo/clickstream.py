"""What traffic and check both know of manifests/samples/clickstream/pipeline.yaml: its names and its times.

A unit test holds these figures against the manifest, so that an edit there cannot silently weaken the check.
"""

from __future__ import annotations

from datetime import UTC, datetime

PIPELINE = "clickstream"
CLICKS = "clicks"
CLEAN_CLICKS = "clean_clicks"
PAGE_VIEWS = "page_views"
VIEW = "page-views"
COUNTING_JOB = "page-views"
CLEANING_JOB = "clean-clicks"
SINK = "raw-clicks"
DEAD_LETTERS = "dead-letters"
TABLE = "RAW.CLICKS"

WINDOW_MS = 10_000
OUT_OF_ORDERNESS_MS = 2_000

OPTIONAL_FIELDS = ("referrer", "amount")
FIELDS = ("event_id", "user_id", "page", *OPTIONAL_FIELDS, "occurred_at")

MARK = "demo.malformed"
"""The Kafka header by which a record of the external producer is known again in the dead-letter topic."""


def kafka_topic(name: str) -> str:
    """The topic's name in Kafka."""
    return f"{PIPELINE}.{name}"


def rfc3339(ms: int) -> str:
    """Epoch milliseconds as RFC 3339 in UTC with milliseconds."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def epoch_ms(text: str) -> int:
    """Epoch milliseconds of an RFC 3339 time with an offset; ValueError without one."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text!r} has no offset from UTC")
    return round(time.timestamp() * 1000)


def window_start(ms: int) -> int:
    """The start of the tumbling window that holds this time, epoch milliseconds."""
    return ms - ms % WINDOW_MS
