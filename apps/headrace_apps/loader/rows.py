"""Why the sink cannot load a record. Made by `batches`, `transforms` and `poison`; written by `dead_letters`.

What a record means is decided in `headrace_apps.records`; here it gets the reason under which it is dead-lettered.
"""

from __future__ import annotations

from dataclasses import dataclass

from headrace.core.dead_letter import Reason


@dataclass(frozen=True, slots=True)
class Refused:
    """Not loaded: why, for the dead letter."""

    reason: Reason
    error: str


def unloadable(error: str) -> Refused:
    return Refused(Reason.UNLOADABLE, error)
