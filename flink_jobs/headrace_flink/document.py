"""The job document `headrace.job/v1`, as this runner reads it: first step of `run`.

Its only writer is the plan; the reader is strict all the same, so that an old runner refuses what a newer plan asks
for instead of leaving it out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VERSION = "headrace.job/v1"
_FIELDS = {"document", "name", "parallelism", "config", "statements", "inserts"}


class DocumentError(Exception):
    """The file is no job document; the text says what is wrong where."""


@dataclass(frozen=True, slots=True)
class JobDocument:
    """One Flink job: `statements` in order, then `inserts` as one job. `config`: Flink's own keys and values."""

    name: str
    parallelism: int
    config: dict[str, str]
    statements: tuple[str, ...]
    inserts: tuple[str, ...]


def read_document(path: Path) -> JobDocument:
    """Raises DocumentError."""
    try:
        return parse_document(path.read_bytes())
    except OSError as e:
        raise DocumentError(f"{path} cannot be read: {e.strerror}") from e
    except DocumentError as e:
        raise DocumentError(f"{path}: {e}") from e


def parse_document(text: str | bytes) -> JobDocument:
    """Raises DocumentError, which names the field."""
    try:
        given = json.loads(text)
    except ValueError as e:
        raise DocumentError(f"is not JSON: {e}") from e
    if not isinstance(given, dict) or given.get("document") != VERSION:
        raise DocumentError(f'is no job document: "document" must be "{VERSION}"')
    if unknown := sorted(given.keys() - _FIELDS):
        raise DocumentError(f"has fields that this version does not know: {', '.join(unknown)}")
    name, parallelism, config = given.get("name"), given.get("parallelism"), given.get("config")
    if not isinstance(name, str) or not name:
        raise DocumentError("name: must be a text that is not empty")
    if not isinstance(parallelism, int) or isinstance(parallelism, bool) or parallelism < 1:
        raise DocumentError("parallelism: must be a whole number from 1")
    if not isinstance(config, dict) or not all(isinstance(value, str) for value in config.values()):
        raise DocumentError("config: must be an object of texts")
    inserts = _texts(given, "inserts")
    if not inserts:
        raise DocumentError("inserts: must have at least one statement")
    return JobDocument(name, parallelism, config, _texts(given, "statements"), inserts)


def _texts(given: dict[str, Any], field: str) -> tuple[str, ...]:
    values = given.get(field)
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise DocumentError(f"{field}: must be a list of texts")
    return tuple(values)
