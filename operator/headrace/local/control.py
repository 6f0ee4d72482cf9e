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
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from headrace.local.errors import PartError

MAX_LINE = 64 << 20
LONGEST_SOCKET_PATH = 90  # bytes; the systems' limits are 104 and 108

NOTHING_RUNS = (FileNotFoundError, ConnectionRefusedError)  # what `ask` raises when no `up` runs on the state

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

        async def respond() -> dict[str, Any]:
            try:
                return await handler(json.loads(await reader.readline()), say)
            except (ValueError, KeyError) as error:
                return {"say": f"not understood: {error!r}", "code": 2}
            except (PartError, OSError) as error:  # say, a broker that is just being started again
                return {"say": str(error) or type(error).__name__, "code": 3}

        try:
            with contextlib.suppress(ConnectionError):  # whoever asked has gone
                await send(await respond())
        finally:
            writer.close()

    server = await asyncio.start_unix_server(answer, sock=_bound(path), limit=MAX_LINE)
    try:
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)


def _bound(path: Path) -> socket.socket:
    """A socket at the path that the user alone can reach: it is chmodded before it listens, so nobody connects early.

    Not by the umask, which is the whole process's: what another task makes meanwhile would get it, too.
    """
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bound.bind(str(path))
        path.chmod(0o600)
    except BaseException:
        bound.close()
        raise
    return bound


async def ask(state: Path, request: dict[str, Any], say: Callable[[str], object]) -> dict[str, Any]:
    """Sends one request to the running `up`; its last answer.

    Raises FileNotFoundError or ConnectionRefusedError when none runs there (`NOTHING_RUNS`), another OSError when it
    ends meanwhile.
    """
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
