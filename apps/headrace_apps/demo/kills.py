"""Which parts the demo kills, and when: `--kill gateway@12` is SIGKILL, twelve seconds after the first aggregate.

Counted from there, because a part that is killed while it still starts proves little.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

PARTS = {
    "task-manager": "flink-taskmanager",
    "job-manager": "flink-jobmanager",
    "loader": "loader",
    "gateway": "gateway",
    "broker": "kafka",
}
"""The names on the command line, and how `headrace status` names the services (or begins their names)."""


@dataclass(frozen=True, slots=True, order=True)
class Kill:
    """`at` in seconds after the first aggregate."""

    at: float
    part: str

    def is_of(self, service: str) -> bool:
        """Whether a service of that name is meant; a loader's name goes on with its sink."""
        wanted = PARTS[self.part]
        return service == wanted or service.startswith((f"{wanted}-", f"{wanted} ", f"{wanted}/", f"{wanted}:"))


def parse_kill(text: str) -> Kill:
    """`part@seconds`. Raises argparse.ArgumentTypeError."""
    part, _, seconds = text.partition("@")
    if part not in PARTS:
        raise argparse.ArgumentTypeError(f"{part!r} is none of {', '.join(PARTS)}")
    try:
        at = float(seconds)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} must end in @ and seconds, as in {part}@12") from None
    if not 0 <= at < float("inf"):
        raise argparse.ArgumentTypeError(f"{at:g} s is not a time after the first aggregate")
    return Kill(at, part)
