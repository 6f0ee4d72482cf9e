"""What a state folder remembers between runs: who made which topic and subject, and which job ran with which document.

One JSON file, replaced whole at each change. Kafka and Flink keep the data; this keeps what they have no place for.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from headrace.local.errors import PartError


class TopicRecord(BaseModel):
    owner: str
    deletion_policy: Literal["Retain", "Delete"]


class SubjectRecord(BaseModel):
    """As last registered: what is compared while the registry is still starting."""

    owner: str
    definition: str
    compatibility: str


class JobRecord(BaseModel):
    """`flink_id` is the job's id on the cluster that ran it; `savepoint` where it was last stopped on purpose."""

    owner: str
    digest: str
    flink_id: str | None = None
    savepoint: str | None = None


class Records(BaseModel):
    """Everything remembered. Change the dictionaries, then `save`."""

    model_config = ConfigDict(extra="forbid")

    version: Literal[1] = 1
    topics: dict[str, TopicRecord] = Field(default_factory=dict)
    subjects: dict[str, SubjectRecord] = Field(default_factory=dict)
    jobs: dict[str, JobRecord] = Field(default_factory=dict)
    pipelines: list[str] = Field(default_factory=list)

    @classmethod
    def read(cls, state: Path) -> Self:
        """The records of a state folder, empty for a new one. Raises PartError for a damaged file."""
        file = state / "records.json"
        try:
            return cls.model_validate_json(file.read_bytes())
        except FileNotFoundError:
            return cls()
        except ValidationError as error:
            raise PartError(
                f"{file} is damaged: {error.error_count()} errors",
                f"move {state} away to start anew (its topics and results stay in there)",
            ) from error

    def save(self, state: Path) -> None:
        write_whole(state / "records.json", self.model_dump_json(indent=2) + "\n")


FULL = {errno.ENOSPC, errno.EDQUOT}
REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}


@contextmanager
def state_worded(state: Path) -> Iterator[None]:
    """Turns what the file system refuses for the state folder into a PartError that names it; the rest goes through."""
    try:
        yield
    except OSError as error:
        where = error.filename if isinstance(error.filename, str) else str(state.absolute())
        if error.errno in FULL:
            raise PartError(
                f"no space left on the disk of the state folder {state.absolute()}",
                "free some space, or name a folder on another disk with --state; what is stored so far is kept",
            ) from error
        if error.errno in REFUSED:
            raise PartError(
                f"cannot use {where}: {error.strerror}",
                f"make the state folder {state.absolute()} writable, or name another one with --state",
            ) from error
        raise


def write_whole(file: Path, text: str, mode: int = 0o644) -> None:
    """The file has its old content or its new one, never half of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    half = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
    half.replace(file)


class StateLock:
    """Held by the one `up` that runs on a state folder; the system releases it when that process ends."""

    def __init__(self, state: Path) -> None:
        self.file = state / "lock"
        self._descriptor = -1

    def take(self) -> bool:
        """False when another process holds it."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
