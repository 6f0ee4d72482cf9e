"""Makes the jar with Headrace's record format and outcome operators, with a Java runtime and no JDK.

Before any job: Java sources → ecj → one jar named by what went into it, so that it is made once per version.
    python -m headrace_flink.build --ecj JAR --classpath-jar JAR --java JAVA --out DIR     prints the jar's path
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

RELEASE = "17"  # the oldest Java that the local backend and Flink's images run
NAME = "headrace-flink"

# Beside the package in a checkout, inside it in a wheel.
_PLACES = (Path(__file__).parent / "_java", Path(__file__).parent.parent / "java")
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can hold: equal sources make equal bytes


class BuildError(Exception):
    """The jar could not be made; the text says why, for a person."""


def sources_root() -> Path:
    """The folder with `src/main/java` and `src/main/resources`."""
    for place in _PLACES:
        if (place / "src").is_dir():
            return place / "src" / "main"
    raise BuildError("the Java sources of headrace-flink are missing from this installation: reinstall it")


def flink_jars() -> list[Path]:
    """The jars of the installed PyFlink, which the sources compile against."""
    spec = find_spec("pyflink")
    if spec is None or spec.origin is None:
        raise BuildError("apache-flink is not installed in this Python: use the Flink environment's")
    home = Path(spec.origin).parent
    return sorted([*(home / "lib").glob("*.jar"), *(home / "opt").glob("*.jar")])


def digest(root: Path, classpath: Sequence[Path]) -> str:
    """First 16 hex digits of SHA-256 over the sources and the names of the jars they are compiled against."""
    content = hashlib.sha256(RELEASE.encode())
    for jar in sorted(path.name for path in classpath):
        content.update(b"\0jar\0" + jar.encode())
    for file in sorted(path for path in root.rglob("*") if path.is_file()):
        content.update(b"\0file\0" + file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes())
    return content.hexdigest()[:16]


def build_jar(*, ecj: Path, connectors: Sequence[Path], java: str, out: Path) -> Path:
    """The jar in `out`; made when it is not there yet. Raises BuildError with the compiler's words."""
    root = sources_root()
    classpath = [*flink_jars(), *connectors]
    jar = out / f"{NAME}-{digest(root, classpath)}.jar"
    if jar.is_file():
        return jar
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".build-") as scratch:
        classes = Path(scratch) / "classes"
        classes.mkdir()
        _compile(root, classpath, classes, ecj=ecj, java=java)
        packed = Path(scratch) / "jar"
        _pack([classes, root / "resources"], packed)
        # Two builders may race; each moves a whole file of the same content into place.
        packed.replace(jar)
    return jar


def _compile(root: Path, classpath: Sequence[Path], classes: Path, *, ecj: Path, java: str) -> None:
    for path in (ecj, *classpath):
        if not path.is_file():
            raise BuildError(f"{path} is not there")
    sources = sorted(str(path) for path in (root / "java").rglob("*.java"))
    arguments = ["--release", RELEASE, "-nowarn", "-proc:none", "-encoding", "UTF-8", "-d", str(classes)]
    compiler = [java, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-jar", str(ecj)]
    command = [*compiler, *arguments, "-cp", os.pathsep.join(map(str, classpath)), *sources]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as e:
        raise BuildError(f"{java} does not start: {e}") from e
    if done.returncode != 0:
        raise BuildError(f"the Java sources do not compile:\n{(done.stderr or done.stdout).strip()}")


def _pack(folders: Sequence[Path], jar: Path) -> None:
    with zipfile.ZipFile(jar, "w", zipfile.ZIP_DEFLATED) as archive:
        for folder in folders:
            for file in sorted(path for path in folder.rglob("*") if path.is_file()):
                entry = zipfile.ZipInfo(file.relative_to(folder).as_posix(), _EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, file.read_bytes())


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="headrace_flink.build", description=__doc__)
    parser.add_argument("--ecj", type=Path, required=True, help="jar of org.eclipse.jdt:ecj")
    parser.add_argument("--classpath-jar", type=Path, action="append", default=[], help="flink-sql-connector-kafka")
    parser.add_argument("--java", default="java", help="a Java runtime, 17 or newer")
    parser.add_argument("--out", type=Path, required=True, help="folder of the jar")
    given = parser.parse_args(arguments)
    try:
        jar = build_jar(ecj=given.ecj, connectors=given.classpath_jar, java=given.java, out=given.out)
    except BuildError as e:
        print(f"headrace_flink.build: {e}", file=sys.stderr)
        return 1
    print(jar)
    return 0


if __name__ == "__main__":
    sys.exit(main())
