"""The surroundings of Flink's client, which is a JVM that PyFlink starts inside `run`: before anything is submitted."""

from __future__ import annotations

import os
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import TextIO

LOG4J = Path(__file__).with_name("log4j.properties")
# A client lives for seconds: C2 and a concurrent collector cost more than they give.
JVM_FLAGS = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


def prepare_client(environ: MutableMapping[str, str]) -> None:
    """Set what the caller has not: the JVM's flags and its log. PyFlink reads all of them from the environment."""
    environ.setdefault("JVM_ARGS", JVM_FLAGS)
    environ.setdefault("LOG4J_PROPERTIES", str(LOG4J))
    # Else each table environment of a local client starts a server for Python functions, open on every interface.
    environ.setdefault("_python_worker_execution_mode", "process")


def own_standard_output() -> TextIO:
    """Standard output for this program's lines alone; what child processes print there goes to standard error."""
    sys.stdout.flush()
    own = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return own
