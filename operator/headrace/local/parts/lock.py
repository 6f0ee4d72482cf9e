"""The lock of parts: which files from Maven's repository Headrace runs, each with its SHA-256.

Read by the fetcher; written by `headrace.local.parts.relock` only.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LOCK_FILE = Path(__file__).with_name("parts.lock.json")


@dataclass(frozen=True, slots=True)
class Part:
    """One file: `coordinates` are `group:artifact:version:extension[:classifier]`, `size` is in bytes."""

    coordinates: str
    sha256: str
    size: int

    @property
    def file_name(self) -> str:
        _, artifact, version, extension, *classifier = self.coordinates.split(":")
        return "-".join([artifact, version, *classifier]) + "." + extension

    @property
    def path(self) -> str:
        """Where Maven repositories keep it, relative to their base URL; the cache keeps the same layout."""
        group, artifact, version, *_ = self.coordinates.split(":")
        return f"{group.replace('.', '/')}/{artifact}/{version}/{self.file_name}"


@cache
def read_lock(file: Path = LOCK_FILE) -> dict[str, tuple[Part, ...]]:
    """The sets of parts by name, in the lock's order, which is the class path's order."""
    content = json.loads(file.read_text())
    if content["version"] != 1:
        raise ValueError(f"{file} has version {content['version']}; this Headrace reads version 1")
    return {name: tuple(Part(**entry) for entry in entries) for name, entries in content["sets"].items()}
