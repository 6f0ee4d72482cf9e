"""`python -m headrace_apps.gateway --document FILE --host 127.0.0.1 --port N`: exit 0 done, 2 usage, 3 cannot start."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from headrace.core.documents import GatewayDocument
from headrace_apps.gateway.app import Gateway, check_document, create_app, kafka_gateway
from headrace_apps.gateway.keysets import KeySourceUnusable, key_source
from headrace_apps.gateway.limits import Limits
from headrace_apps.gateway.logs import set_up
from headrace_apps.gateway.server import GatewayServer, server_config
from headrace_apps.gateway.tokens import OpenDoor, TokenVerifier, Verifier
from headrace_apps.gateway.views.rocks import stores_in
from headrace_apps.gateway.views.store import StoreError

log = logging.getLogger("headrace_apps.gateway")

CANNOT_START = 3


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Exits with 2 when they are wrong."""
    parser = argparse.ArgumentParser(prog="headrace_apps.gateway", description="Headrace's HTTP gateway.")
    parser.add_argument("--document", type=Path, required=True, help="a headrace.gateway/v1 document")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one and logs it")
    parser.add_argument("--data", type=Path, help="where views keep their stores; a temporary folder if not given")
    parser.add_argument("--log-format", choices=("text", "json"), default="text")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    options = parse_arguments(arguments)
    set_up(options.log_format)
    limits = Limits()
    try:
        document = GatewayDocument.from_json(options.document.read_bytes())
        check_document(document, limits)  # a schema that cannot be used is said here, in one line
        verifier: Verifier = OpenDoor()
        if document.auth.enabled:
            verifier = TokenVerifier(document.auth, key_source(document.auth, time.time), time.time)
        else:
            log.warning("authentication is off: whoever reaches %s may read and write", options.host)
    except (OSError, ValueError, KeySourceUnusable) as exc:
        log.critical("the gateway cannot start with %s: %s", options.document, exc)
        return CANNOT_START

    # A view is a copy of its topic: without a folder of its own it lasts as long as the process.
    temporary = None if options.data else tempfile.TemporaryDirectory(prefix="headrace-views-")
    new_store = stores_in(options.data if temporary is None else Path(temporary.name))
    parts: list[Gateway] = []
    lost: list[bool] = []

    def stop_for_good() -> None:
        # Whoever supervises this process starts a new one, with a new producer.
        lost.append(True)
        os.kill(os.getpid(), signal.SIGTERM)

    async def prepare() -> None:
        parts.append(
            kafka_gateway(document, verifier, time.time, limits=limits, new_store=new_store, on_fatal=stop_for_good)
        )

    async def build() -> Gateway:
        return parts[0]

    server = GatewayServer(
        server_config(create_app(document, build), options.host, options.port, limits),
        drain=lambda: parts[0].drain(),  # noqa: PLW0108 - there are no parts before the start
        ready=lambda url: log.info("%s is served at %s", document.pipeline, url),
        prepare=prepare,
    )
    try:
        server.run()
    except StoreError as exc:
        log.critical("the gateway cannot start: %s", exc)
        return CANNOT_START
    except SystemExit as exc:  # uvicorn's way to say that the port is taken or the start failed; it logged why
        return CANNOT_START if exc.code else 0
    finally:
        if temporary is not None:
            temporary.cleanup()
    return CANNOT_START if lost else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
