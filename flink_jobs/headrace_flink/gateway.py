"""The JVM of a client that stays: Flink's own gateway on one flat class path, started by us instead of by PyFlink.

PyFlink would put the planner behind a class loader of its own (out of reach of class-data sharing, unpacked anew at
each start) and never empty the pipe of the JVM's standard error. Here the planner's jar is unpacked once, the jobs'
jars stand beside it, and everything the JVM prints goes to this process's standard error.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MAIN = "org.apache.flink.client.python.PythonGatewayServer"
PLANNER = "flink-table-planner.jar"
# The loader is replaced by what it carries, which brings its own Scala; the others no job of ours uses.
LEFT_OUT = (
    "flink-table-planner-loader", "flink-scala_2.12", "flink-connector-files", "flink-csv", "log4j-layout-template-json"
)  # fmt: skip
START_SECONDS = 60.0
POLL_SECONDS = 0.02
EXIT_SECONDS = 60.0  # a JVM that records its class-data archive writes it when it ends


class GatewayError(Exception):
    """The JVM did not come up; the text says what is known."""


@dataclass
class Gateway:
    """A running JVM; `port` is where PyFlink connects."""

    process: subprocess.Popen[bytes]
    port: int

    def stop(self) -> None:
        """Ends the JVM in order, so that it can write what it recorded."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()


def class_path(home: Path, planner: Path, jars: Sequence[Path]) -> list[Path]:
    """In an order that does not change from start to start: the archive of a class path is good for that path only."""
    lib = [jar for jar in sorted((home / "lib").glob("*.jar")) if not jar.name.startswith(LEFT_OUT)]
    return [*lib, planner, *sorted((home / "opt").glob("flink-python-*.jar")), *jars]


def unpack_planner(home: Path, folder: Path) -> Path:
    """The planner's jar out of the loader's, in `folder`, made if it is not there."""
    [loader] = (home / "lib").glob("flink-table-planner-loader-*.jar")
    unpacked = folder / f"{loader.stem.replace('-loader', '')}.jar"
    if unpacked.exists():
        return unpacked
    folder.mkdir(parents=True, exist_ok=True)
    half = unpacked.with_name(f".{unpacked.name}.{os.getpid()}")
    with zipfile.ZipFile(loader) as outer, outer.open(PLANNER) as source, half.open("wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
    half.replace(unpacked)  # whole or not at all: another process may make it at the same time
    return unpacked


def options_of(config: str) -> list[str]:
    """The --add-exports and --add-opens in the wheel's own configuration file."""
    match = re.search(r"^\s+all:\s*(--add-\S.*)$", config, re.MULTILINE)
    return match[1].split() if match else []


def start_gateway(home: Path, planner: Path, jars: Sequence[Path], environ: Mapping[str, str]) -> Gateway:
    """Starts the JVM and waits until it listens. Raises GatewayError."""
    java = Path(environ["JAVA_HOME"], "bin", "java") if environ.get("JAVA_HOME") else Path("java")
    log4j = environ.get("LOG4J_PROPERTIES") or str(Path(__file__).with_name("log4j.properties"))
    options = options_of((home / "conf" / "config.yaml").read_text())
    path = os.pathsep.join(map(str, class_path(home, planner, jars)))
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder, "port")
        # Standard output too goes to this process's standard error: its own carries answers and nothing else.
        process = subprocess.Popen(
            [
                *(str(java), *environ.get("JVM_ARGS", "").split(), *options),
                *(f"-Dlog4j.configurationFile={log4j}", "-cp", path, MAIN),
            ],
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
            env={**environ, "_PYFLINK_CONN_INFO_PATH": str(told), "FLINK_PLUGINS_DIR": str(home / "plugins")},
        )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(FileNotFoundError, struct.error):
                return Gateway(process, struct.unpack("!I", told.read_bytes()[:4])[0])
            time.sleep(POLL_SECONDS)
    process.kill()
    raise GatewayError(f"Flink's client did not start (exit code {process.wait()}); see above for what Java said")
