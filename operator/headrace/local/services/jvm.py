"""Java services: flags that start fast on two cores, and class-data archives that make later starts faster.

An archive is written when a service that started without one is stopped, and is found again by everything that it
depends on: the Java, the jars and the flags. Java 24 and newer write an AOT cache, older ones an AppCDS archive.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from headrace.local.java import Java

AOT_CACHE_SINCE = 24
RECORDING_STOP_SECONDS = 60.0  # writing an archive takes 3 to 10 s on an idle core


@dataclass(frozen=True)
class Archive:
    """The archive of one service: `file` once it is complete; `half` is what a running recording will write."""

    file: Path
    half: Path
    aot: bool

    @property
    def recording(self) -> bool:
        return not self.file.exists()

    def flags(self) -> list[str]:
        if self.recording:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            return [f"-XX:{'AOTCacheOutput' if self.aot else 'ArchiveClassesAtExit'}={self.half}"]
        return [f"-XX:{'AOTCache' if self.aot else 'SharedArchiveFile'}={self.file}"]

    def keep(self) -> None:
        """To call after the service stopped: what it recorded gets its name, whole or not at all."""
        with contextlib.suppress(FileNotFoundError):
            self.half.rename(self.file)


def archive_of(cache: Path, name: str, java: Java, jars: Sequence[Path], flags: Sequence[str]) -> Archive:
    key = hashlib.sha256()
    for text in (str(java.binary), java.build, *flags):
        key.update(text.encode() + b"\0")
    for jar in jars:
        stat = jar.stat()
        key.update(f"{jar}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode())  # what the JVM compares, too
    aot = java.version >= AOT_CACHE_SINCE
    file = cache / "archives" / f"{name}-{key.hexdigest()[:16]}.{'aot' if aot else 'jsa'}"
    return Archive(file, file.with_name(f"{file.name}.{os.getpid()}.half"), aot)


# Without the C2 compiler and with a serial collector a service is ready in half the time and memory.
LIGHT = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
SERIAL = ("-XX:+UseSerialGC",)


def class_path(jars: Sequence[Path]) -> str:
    return os.pathsep.join(str(jar) for jar in jars)
