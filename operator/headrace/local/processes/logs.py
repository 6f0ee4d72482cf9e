"""Log files of processes: appended to by the process itself, bounded by moving the content aside.

The process writes to the file directly (O_APPEND), so its last words survive the run's own crash and nothing blocks
on a full pipe. Rotation copies the file to `<name>.1` and truncates it; lines written in between may be lost.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import IO

MAX_BYTES = 8 << 20
TAIL_BYTES = 64 << 10


def open_log(file: Path) -> IO[bytes]:
    file.parent.mkdir(parents=True, exist_ok=True)
    return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644), "wb", buffering=0)


def bound(file: Path, max_bytes: int = MAX_BYTES) -> None:
    """Keeps a log and its predecessor at no more than about `max_bytes` each."""
    with contextlib.suppress(FileNotFoundError):
        if file.stat().st_size > max_bytes:
            before = file.with_name(file.name + ".1")
            try:
                shutil.copyfile(file, before)
            except OSError:
                # A full disk has no room for the copy. The bound matters more than old lines: both make room.
                before.unlink(missing_ok=True)
            os.truncate(file, 0)


def last_lines(file: Path, count: int = 20, since: int = 0) -> tuple[str, ...]:
    """The last lines of a log, from the byte `since` on at most."""
    try:
        with file.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(since if since <= size else 0, size - TAIL_BYTES))
            text = stream.read().decode(errors="replace")
    except FileNotFoundError:
        return ()
    return tuple(line[:400] for line in text.splitlines()[-count:])
