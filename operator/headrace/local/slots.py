"""Slots of the local Flink cluster, counted before a job is submitted.

Flink takes a job that it has no slots for, calls it running, and lets it wait until it fails.
"""

from __future__ import annotations

from headrace.local.errors import PartError


class Slots:
    """A job takes as many slots as its parallelism: its operators share them."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._taken: dict[str, int] = {}

    def take(self, job: str, parallelism: int) -> None:
        """Instead of what the job had taken. Raises PartError, changing nothing, when too few are free."""
        others = {name: taken for name, taken in self._taken.items() if name != job}
        free = self._total - sum(others.values())
        if parallelism > free:
            with_slots = ", ".join(f"{name} ({taken})" for name, taken in sorted(others.items())) or "no other job"
            raise PartError(
                f"job {job} needs {parallelism} slots, and {free} of the local Flink cluster's {self._total} are free; "
                f"taken by {with_slots}",
                "lower the parallelism of a job, or take one out",
            )
        self._taken[job] = parallelism

    def free(self, job: str) -> None:
        self._taken.pop(job, None)
