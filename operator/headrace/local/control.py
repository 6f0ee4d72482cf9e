"""The running `up` takes requests on a unix socket in its state folder: a JSON line in, JSON lines out.

`{"do": "apply" | "plan" | "status" | "stop", …}` is answered by any number of `{"say": …}` and one
`{"code": …}` with the exit code of the command that asked. Only the user can reach it (mode 0600).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

MAX_LINE = 64 << 20
LONGEST_SOCKET_PATH = 90  # bytes; the systems' limits are 104 and 108

Say = Callable[[str], Awaitable[None]]
Handler = Callable[[dict[str, Any], Say], Awaitable[dict[str, Any]]]


def socket_path(state: Path) -> Path:
    """In the state folder, or in the temporary folder where that path would be too long for a socket."""
    path = state.absolute() / "control.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    key = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"headrace-{os.getuid()}-{key}.sock"


@contextlib.asynccontextmanager
async def serving(state: Path, handler: Handler) -> AsyncIterator[None]:
    """Answers requests while the block runs. The caller holds the state's lock, so a socket that is there is stale."""
    path = socket_path(state)
    path.unlink(missing_ok=True)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def send(content: dict[str, Any]) -> None:
            writer.write(json.dumps(content).encode() + b"\n")
            await writer.drain()

        async def say(line: str) -> None:
            await send({"say": line})

        with contextlib.suppress(ConnectionError):
            try:
                request = json.loads(await reader.readline())
                await send(await handler(request, say))
            except (ValueError, KeyError) as error:
                await send({"say": f"not understood: {error!r}", "code": 2})
            writer.close()

    before = os.umask(0o177)
    try:
        server = await asyncio.start_unix_server(answer, path, limit=MAX_LINE)
    finally:
        os.umask(before)
    try:
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)


async def ask(state: Path, request: dict[str, Any], say: Callable[[str], object]) -> dict[str, Any]:
    """Sends one request to the running `up`; its last answer. Raises OSError when none runs there."""
    reader, writer = await asyncio.open_unix_connection(socket_path(state), limit=MAX_LINE)
    writer.write(json.dumps(request).encode() + b"\n")
    await writer.drain()
    try:
        while line := await reader.readline():
            content: dict[str, Any] = json.loads(line)
            if "say" in content:
                say(content["say"])
            if "code" in content:
                return content
    finally:
        writer.close()
    raise ConnectionResetError("the running `headrace up` ended while it answered")
