"""A cursor: the next offset of each partition that a reader reads, as text for a URL or `Last-Event-ID`.

`0-120_1-98_2-0`: partition 0 from offset 120, and so on. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

Positions = Mapping[int, int]
"""Partition to the offset of the next record to read."""

_CURSOR = re.compile(r"[0-9]{1,9}-[0-9]{1,18}(?:_[0-9]{1,9}-[0-9]{1,18}){0,9999}")


class CursorInvalid(ValueError):  # noqa: N818
    """The text is no cursor, or not one of this topic."""


def render_cursor(positions: Positions) -> str:
    return "_".join([f"{partition}-{positions[partition]}" for partition in sorted(positions)])


def parse_cursor(text: str, partitions: int) -> dict[int, int]:
    """Raises CursorInvalid. `partitions` is how many the topic has."""
    if _CURSOR.fullmatch(text) is None:
        raise CursorInvalid("it is not one that the gateway gave out")
    pairs = [part.split("-") for part in text.split("_")]
    positions = {int(partition): int(offset) for partition, offset in pairs}
    if len(positions) != len(pairs) or max(positions) >= partitions:
        raise CursorInvalid(f"it does not fit the topic's {partitions} partitions")
    return positions
