"""Times of events as epoch milliseconds, from their JSON form, and back to text. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from headrace.core.dead_letter import rfc3339

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def millis_of(value: Any) -> int | None:
    """Of an RFC 3339 text or epoch milliseconds; None for anything else. Digits below a millisecond are cut."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        return None
    return ((time if time.tzinfo else time.replace(tzinfo=UTC)) - EPOCH) // timedelta(milliseconds=1)


def text_of(millis: int) -> str:
    """RFC 3339 with milliseconds; the number itself outside of the years that it can write."""
    try:
        return rfc3339(EPOCH + timedelta(milliseconds=millis))
    except OverflowError:
        return str(millis)
