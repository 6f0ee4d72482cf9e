"""Flink's metrics in Prometheus' text form, on loopback.

Flink's own Prometheus endpoint listens on all interfaces and cannot be told otherwise, so its reporter that pushes is
used, and what it pushes is kept here, in the process of `up`, and served at /metrics.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from headrace.local.ports import LOOPBACK

PUSH_SECONDS = 2
STALE_SECONDS = 10.0  # a killed process takes nothing back: what it pushed last is forgotten after so long
MAX_BYTES = 32 << 20


class PushedMetrics:
    """The newest push of each process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pushed: dict[str, tuple[float, bytes]] = {}
        self._lock = threading.Lock()

    def push(self, group: str, text: bytes) -> None:
        with self._lock:
            self._pushed[group] = (self._clock(), text)

    def forget(self, group: str) -> None:
        with self._lock:
            self._pushed.pop(group, None)

    def text(self) -> bytes:
        """Everything that is not stale, in the order of the groups' names."""
        with self._lock:
            oldest = self._clock() - STALE_SECONDS
            self._pushed = {group: push for group, push in self._pushed.items() if push[0] >= oldest}
            return b"".join(text for _, (_, text) in sorted(self._pushed.items()))


@contextmanager
def served(metrics: PushedMetrics, port: int) -> Iterator[None]:
    """Takes pushes and serves /metrics on loopback while the block runs. Raises OSError when the port is taken."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 30

        def _answer(self, status: int, content: bytes = b"") -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, metrics.text())
            else:
                self._answer(404)

        def do_PUT(self) -> None:
            size = int(self.headers.get("Content-Length", 0))
            if size > MAX_BYTES:
                self._answer(413)
                return
            metrics.push(self.path, self.rfile.read(size))
            self._answer(202)

        do_POST = do_PUT  # noqa: N815 - the base class finds methods by these names

        def do_DELETE(self) -> None:
            metrics.forget(self.path)
            self._answer(202)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            """Nothing: a push every two seconds is no news."""

    server = ThreadingHTTPServer((LOOPBACK, port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, name="flink-metrics", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
