"""Durations as users write them (`500ms`, `5s`, `1h30m`, `7d`) and whole milliseconds as everything else wants them."""

from __future__ import annotations

import re

PATTERN = r"^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$"
MAX_MS = 3650 * 86_400_000

_UNITS_MS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_PART = re.compile(r"([0-9]+)(ms|[dhms])")


def parse_duration(text: str) -> int:
    """Milliseconds of a duration. Raises ValueError, worded for the user, for anything else."""
    if len(text) > 40 or not text or not re.fullmatch(PATTERN, text):
        raise ValueError("is not a duration: write days, hours, minutes, seconds, like 500ms, 5s, 1h30m or 7d")
    total = sum(int(count) * _UNITS_MS[unit] for count, unit in _PART.findall(text))
    if total > MAX_MS:
        raise ValueError("is longer than ten years")
    return total


def format_duration(ms: int) -> str:
    """The shortest way to write that many milliseconds: `1h30m`; zero is `0s`."""
    text = ""
    for unit, size in _UNITS_MS.items():
        count, ms = divmod(ms, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"
