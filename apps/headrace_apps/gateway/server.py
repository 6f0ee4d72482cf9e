"""uvicorn, with three things added: a deadline for headers, a drain that ends streams, and exit code 0 on SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from headrace_apps.gateway.limits import Limits

log = logging.getLogger(__name__)

KEEP_ALIVE = 75
"""Seconds; longer than the 60 s after which load balancers drop idle connections, so that they do it first."""


def timed_protocol(header_timeout: float) -> type[HttpToolsProtocol]:
    """uvicorn's protocol, closing a connection that does not complete a request's headers in time (slow loris)."""

    class TimedProtocol(HttpToolsProtocol):
        _deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._deadline = self.loop.call_later(header_timeout, self._too_slow)

        def on_message_begin(self) -> None:
            super().on_message_begin()
            if self._deadline is None:
                self._deadline = self.loop.call_later(header_timeout, self._too_slow)

        def on_headers_complete(self) -> None:
            self._on_time()
            super().on_headers_complete()

        def connection_lost(self, exc: Exception | None) -> None:
            self._on_time()
            super().connection_lost(exc)

        def _on_time(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

        def _too_slow(self) -> None:
            self._deadline = None
            # A pipelined request's headers may be late while an answer is under way: let that one finish.
            if self.transport is not None and (self.cycle is None or self.cycle.response_complete):
                self.transport.close()

    return TimedProtocol


class GatewayServer(uvicorn.Server):
    """Stops on SIGTERM or SIGINT: no new connections, streams end, requests in flight are answered, then exit 0.

    `prepare` is awaited in the server's loop before anything else; what it raises comes out of `run` as it is, where
    uvicorn would log an error of the application's own start with its traceback.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        drain: Callable[[], None],
        ready: Callable[[str], None],
        prepare: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        super().__init__(config)
        self._prepare = prepare
        self._drain = drain
        self._ready = ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn's own raises the signal again after the drain, and the process would die of it instead of exit 0.
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    async def startup(self, sockets: Any = None) -> None:
        if self._prepare is not None:
            await self._prepare()
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._ready(f"http://{host}:{port}")

    async def shutdown(self, sockets: Any = None) -> None:
        self._drain()
        await super().shutdown(sockets)


def server_config(app: FastAPI, host: str, port: int, limits: Limits) -> uvicorn.Config:
    """How uvicorn runs the gateway."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http=timed_protocol(limits.header_timeout),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=int(limits.drain_timeout),
        limit_concurrency=limits.max_connections,
    )
