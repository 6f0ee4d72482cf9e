"""Ports on loopback: set by a flag, else the one of the last run, else a free one; kept in the state folder.

Free ports are looked for below the range from which the kernel takes ports for outgoing connections: a service that
is restarted must find its port still free. A port is also claimed among the runs of this machine, from when it is
chosen until the run ends: nothing listens yet when a second run looks, and the two would answer for each other.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import tempfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from headrace.local.errors import PartError

LOOPBACK = "127.0.0.1"
FIRST, LAST = 20_000, 31_999


@dataclass
class Ports:
    """`chosen`: the ports that the user set, by service name; `say` tells when a kept port had to move."""

    file: Path
    chosen: Mapping[str, int] = field(default_factory=dict)
    say: Callable[[str], None] = lambda _: None
    claims: Path = field(default_factory=lambda: Path(tempfile.gettempdir()) / f"headrace-ports-{os.getuid()}")
    _taken: dict[str, int] = field(default_factory=dict)
    _claimed: dict[int, IO[str]] = field(default_factory=dict)

    def port(self, name: str, prefer: int | None = None) -> int:
        """The port of a service, the same at each call. Raises PartError when the user's own choice is in use."""
        if name in self._taken:
            return self._taken[name]
        kept = self._kept()
        spoken_for = {port for other, port in self.chosen.items() if other != name}  # those may be asked for later
        if name in self.chosen:
            port = self.chosen[name]
            if not self._take(port):
                raise PartError(
                    f"port {port} for {name} is in use{_by(port)}",
                    f"stop what uses it, or choose another port for {name}",
                )
        elif name in kept and kept[name] not in spoken_for and self._take(kept[name]):
            port = kept[name]
        else:
            port = self._find(f"{self.file}/{name}", prefer, spoken_for)
            if name in kept and kept[name] in spoken_for:
                self.say(f"port {kept[name]} of {name} was chosen for another part; using {port}")
            elif name in kept:
                self.say(f"port {kept[name]} of {name} is in use{_by(kept[name])}; using {port}")
        self._taken[name] = port
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(json.dumps({**kept, **self._taken}, indent=2, sort_keys=True) + "\n")
        return port

    def _take(self, port: int) -> bool:
        """Whether the port is free and no other run has claimed it; it is then ours until this object goes."""
        self.claims.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.claims.chmod(0o700)  # a umask, or an older version, may have made it a folder that cannot be entered
        claim = (self.claims / str(port)).open("w")
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            claim.close()
            return False
        if not is_free(port):
            claim.close()
            return False
        self._claimed[port] = claim
        return True

    def _kept(self) -> dict[str, int]:
        try:
            return {str(name): int(port) for name, port in json.loads(self.file.read_text()).items()}
        except (OSError, ValueError, AttributeError):
            return {}

    def _find(self, seed: str, prefer: int | None, spoken_for: set[int]) -> int:
        # Spread by name and state folder, so that two runs that start together rarely look at the same port.
        span = LAST - FIRST + 1
        start = zlib.crc32(seed.encode()) % span
        candidates = [prefer] if prefer else []
        candidates += [FIRST + (start + step) % span for step in range(500)]
        for port in candidates:
            if port not in spoken_for and port not in self._taken.values() and self._take(port):
                return port
        raise PartError(f"no free port between {FIRST} and {LAST}", "stop something, or set the ports")


def is_free(port: int) -> bool:
    """True when a service could listen there now. As servers do, regardless of closing connections."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except (OSError, OverflowError):
            return False
    with socket.socket() as probe:  # something on all interfaces lets a bind to loopback succeed on some systems
        probe.settimeout(0.2)
        return probe.connect_ex((LOOPBACK, port)) != 0


def _by(port: int) -> str:
    """` by <process> (pid …)`, when the system tells."""
    import psutil

    try:
        for connection in psutil.net_connections("tcp"):
            local = connection.laddr
            if connection.status == psutil.CONN_LISTEN and local and local.port == port and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        pass
    return ""
