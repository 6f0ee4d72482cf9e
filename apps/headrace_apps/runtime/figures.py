"""What a consumer has to tell of itself, now and then. Made by `runtime`; `metrics` shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from headrace_apps.runtime.breaker import State


@dataclass(frozen=True, slots=True)
class Figures:
    """`held` records and `size` bytes, of which `waiting` records are in no batch yet; `paused` partitions.

    `lag`: records, and seconds that the oldest of them is old, per assigned partition whose end is known.
    """

    joined: bool
    waiting: int
    held: int
    size: int
    paused: int
    breaker: State
    lag: Mapping[int, tuple[int, float]]


class Series(Protocol):
    """Who is told. Retries and poison come from the workers' threads."""

    def tell(self, figures: Figures) -> None: ...

    def count_retry(self) -> None: ...

    def count_poison(self, records: int) -> None: ...
