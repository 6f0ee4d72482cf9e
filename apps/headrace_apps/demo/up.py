"""`headrace up` as a tethered child of the demo: its lines, its status, its end.

The tether (headrace.local.processes) kills it when this process dies; its own tethers then take its services down.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from headrace.core.documents import LoaderDocument, SnowflakeConnection
from headrace.local.control import ask
from headrace.local.keys import sign_token
from headrace.local.processes.spawn import Spawner, stop
from headrace_apps.demo.sample import Manifest

STOP_SECONDS = 120.0
"""On the first runs the services write their class-data archives when they stop."""
TOKEN_SECONDS = 7 * 24 * 3600
HEADRACE = (sys.executable, "-m", "headrace.cli.main")


class UpError(Exception):
    """`headrace up` ended, or says something that is not understood."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where clients of one pipeline find the parts."""

    gateway: str
    token: str
    token_file: Path
    bootstrap: str
    registry: str | None
    snowflake: SnowflakeConnection
    database: str

    def check_arguments(self) -> list[str]:
        """For `python -m headrace_apps.demo.check` and `parse_places`."""
        connection = self.snowflake
        given = {
            "bootstrap": self.bootstrap,
            "registry": self.registry,
            "gateway": self.gateway,
            "token-file": self.token_file,
            "snowflake-account": connection.account,
            "snowflake-user": connection.user,
            "snowflake-host": connection.host,
            "snowflake-port": connection.port,
            "snowflake-protocol": connection.protocol,
            "snowflake-warehouse": connection.warehouse,
            "snowflake-role": connection.role,
            "snowflake-password-file": connection.password_file,
            "snowflake-private-key-file": connection.private_key_file,
            "snowflake-database": self.database,
        }
        return [part for name, value in given.items() if value is not None for part in (f"--{name}", str(value))]


class Up:
    """Use as an asynchronous context manager in the main thread. `say` gets each line that `up` prints."""

    def __init__(self, pipeline: Path, state: Path, say: Callable[[str], object]) -> None:
        self._pipeline = pipeline
        self._state = state
        self._say = say
        self._spawner = Spawner()

    async def __aenter__(self) -> Self:
        self._spawner.__enter__()
        self._process = await self._spawner.start(
            [*HEADRACE, "up", "-f", str(self._pipeline), "--state", str(self._state)],
            output=asyncio.subprocess.PIPE,
        )
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await stop(self._process, STOP_SECONDS)
        with contextlib.suppress(asyncio.CancelledError):
            await self._reading
        self._spawner.ended(self._process)
        self._spawner.__exit__()

    def raise_if_ended(self) -> None:
        """UpError when `headrace up` is gone; what it said is on the screen already."""
        if self._process.returncode is not None:
            raise UpError(f"`headrace up` ended with exit code {self._process.returncode}")

    async def add(self, pipeline: str, text: str) -> None:
        """Hand another manifest to the running `up`, which tells of it. Raises UpError when it does not take it."""
        told: list[str] = []
        try:
            answer = await ask(self._state, {"do": "apply", "texts": {pipeline: text}}, told.append)
        except OSError as error:
            self.raise_if_ended()
            raise UpError(f"{pipeline} could not be handed over: {error}") from error
        if answer["code"] != 0:
            raise UpError("\n".join([f"{pipeline} was not taken:", *told]))

    async def addresses(self, manifest: Manifest) -> Addresses | None:
        """None until the pipeline's gateway serves."""
        status = await self._status()
        if status is None:
            return None
        gateway = status["addresses"]["gateways"].get(manifest.pipeline)
        ready = {part["name"] for part in status["parts"] if part["state"] == "ready"}
        if gateway is None or f"gateway-{manifest.pipeline}" not in ready:
            return None
        documents = (self._state / "documents" / f"loader-{manifest.pipeline}.{sink}.json" for sink in manifest.sinks)
        loader = next((document for document in documents if document.exists()), None)
        if loader is None:
            return None
        document = LoaderDocument.from_json(loader.read_bytes())
        token_file = self._state / f"{manifest.pipeline}.token"
        token_file.write_text(sign_token(self._state, _scopes(manifest), TOKEN_SECONDS, subject="demo"))
        return Addresses(
            gateway=gateway,
            token=token_file.read_text(),
            token_file=token_file,
            bootstrap=status["addresses"]["kafka"],
            registry=status["addresses"]["registry"],
            snowflake=document.snowflake,
            database=document.table.database,
        )

    async def services(self) -> dict[str, int]:
        """The running services and their process ids."""
        status = await self._status()
        return {part["name"]: part["pid"] for part in status["parts"] if part["pid"]} if status else {}

    async def _status(self) -> dict[str, Any] | None:
        try:
            answer = await ask(self._state, {"do": "status"}, self._say)
        except OSError:
            return None
        return answer.get("status")

    async def _read(self) -> None:
        output = self._process.stdout
        assert output is not None  # noqa: S101 - it was opened as a pipe
        while line := await output.readline():
            self._say(line.decode(errors="replace").rstrip("\n"))


def _scopes(manifest: Manifest) -> list[str]:
    return [f"{topic.kafka}:{right}" for topic in manifest.topics.values() for right in ("read", "write")]
