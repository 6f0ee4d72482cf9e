"""Where fetched and built things are kept between runs: one cache folder per user, shared by all pipelines.

Files in it are complete when they have their final name: whoever makes one writes beside it and renames.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from platformdirs import user_cache_path

from headrace.local.errors import PartError

CACHE_VARIABLE = "HEADRACE_CACHE"


def cache_folder(environ: Mapping[str, str] | None = None) -> Path:
    """The cache folder, made if need be; HEADRACE_CACHE overrides the user's own."""
    environ = os.environ if environ is None else environ
    folder = Path(environ.get(CACHE_VARIABLE) or user_cache_path("headrace")).expanduser().absolute()
    with worded(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


class worded:  # noqa: N801 - reads as a clause: `with worded(path): …`
    """Turns what the file system refuses into a line for a person. Synchronous, so that it also fits in callbacks."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, OSError):
            return
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise PartError(
                f"no space left while writing {self.path}",
                f"free some space (a first run needs about 3 GB), or set {CACHE_VARIABLE} to a folder on another disk",
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise PartError(
                f"cannot write {self.path}: {error.strerror}",
                f"make the folder writable, or set {CACHE_VARIABLE} to one that is",
            ) from error


@asynccontextmanager
async def exclusive(path: Path) -> AsyncIterator[None]:
    """Holds `<path>.lock` against other processes and against other tasks of this one; waits without blocking the loop.

    The lock file stays: removing it would let a third process lock another file of the same name.
    """
    lock = path.with_name(path.name + ".lock")
    with worded(lock):
        lock.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(0.2)
        yield
    finally:
        os.close(descriptor)
