"""Which windows take an event: the same arithmetic that decides when it is late. Pure; times in epoch milliseconds.

Formulas: Flink SQL, "Windowing table-valued functions"; an offset shifts where windows begin.
"""

from __future__ import annotations

from headrace.core.sql.lateness import Lateness

Window = tuple[int, int]
"""Start (included) and end (not)."""

MOST = 1_000
"""A hop of a second over a week is in 600,000 windows; nobody reads them."""


def windows_of(lateness: Lateness, at: int) -> list[Window]:
    """The windows of an event at that time, the earliest first; a session's is what the event alone makes of it."""
    if lateness.rule != "window" or lateness.size_ms <= 0:
        return []
    size, slide, offset = lateness.size_ms, lateness.slide_ms or lateness.size_ms, lateness.offset_ms
    if lateness.kind == "session":
        return [(at, at + size)]
    if lateness.kind == "hop":
        last = at - (at - offset) % slide
        starts = range(last, max(at - size, last - MOST * slide), -slide)
        return [(start, start + size) for start in reversed(starts)]
    start = at - (at - offset) % size
    if lateness.kind == "cumulate":
        first = start + ((at - start) // slide + 1) * slide
        return [(start, end) for end in range(first, min(start + size, first + MOST * slide) + 1, slide)]
    return [(start, start + size)]
