"""Lag, from where the partitions stand and where they end. Pure; used by `runtime`.

Markers of transactions and what compaction removed are not lag: the readers step over them, so a partition that is
read to its end has none, whatever its offsets say.
"""

from __future__ import annotations

from collections.abc import Mapping


class LagClock:
    """Lag in seconds: how old the oldest record is that is not done with. `now` is epoch seconds everywhere."""

    def __init__(self) -> None:
        self._caught_up: dict[int, float] = {}

    def lag(
        self, positions: Mapping[int, int], ends: Mapping[int, int], oldest: Mapping[int, int], now: float
    ) -> dict[int, tuple[int, float]]:
        """Records and seconds per partition. `oldest` has the timestamps (epoch milliseconds) of the first record in
        hand; where there is none, the partition is behind since it was last seen without lag."""
        found = {}
        for partition, position in positions.items():
            records = max(ends.get(partition, position) - position, 0)
            if not records:
                self._caught_up[partition] = now
                found[partition] = (0, 0.0)
                continue
            since = self._caught_up.setdefault(partition, now)
            if (stamp := oldest.get(partition)) is not None and stamp >= 0:
                since = min(since, stamp / 1000) if stamp / 1000 <= now else since
            found[partition] = (records, max(0.0, now - since))
        for partition in self._caught_up.keys() - positions.keys():
            del self._caught_up[partition]
        return found
