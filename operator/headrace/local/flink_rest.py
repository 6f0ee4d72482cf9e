"""The few calls of Flink's REST API that the local backend makes. Errors of the connection come out as OSError."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import httpx

from headrace.local.errors import PartError
from headrace.local.loopback import loopback_client

ALIVE = {"INITIALIZING", "CREATED", "RUNNING", "RESTARTING", "RECONCILING", "FAILING", "CANCELLING"}
POLL = 0.2


@dataclass(frozen=True, slots=True)
class RunningJob:
    id: str
    name: str
    state: str


class FlinkRest:
    def __init__(self, url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._url, self._transport = url, transport

    async def _call(self, method: str, path: str, body: object = None) -> Any:
        try:
            async with loopback_client(transport=self._transport) as client:
                response = await client.request(method, self._url + path, json=body)
                response.raise_for_status()
        except httpx.HTTPError as error:
            raise OSError(f"Flink does not answer {method} {path}: {error or type(error).__name__}") from error
        return response.json() if response.content else None

    async def jobs(self) -> list[RunningJob]:
        """The jobs that have not ended."""
        found = (await self._call("GET", "/jobs/overview"))["jobs"]
        return [RunningJob(job["jid"], job["name"], job["state"]) for job in found if job["state"] in ALIVE]

    async def state(self, job: str) -> str:
        return str((await self._call("GET", f"/jobs/{job}"))["state"])

    async def failure(self, job: str) -> str:
        """The first line of each cause of the job's newest failure, outermost first."""
        told = await self._call("GET", f"/jobs/{job}/exceptions?maxExceptions=1")
        entries = told.get("exceptionHistory", {}).get("entries", [])
        trace = entries[0].get("stacktrace", "") if entries else told.get("root-exception") or ""
        lines = [line for line in trace.splitlines() if not line.startswith(("\t", " "))]
        return " ← ".join(line.removeprefix("Caused by: ")[:300] for line in lines[-2:])

    async def cancel(self, job: str, deadline: float = 30) -> None:
        """Returns when the job has ended."""
        await self._call("PATCH", f"/jobs/{job}?mode=cancel")
        until = time.monotonic() + deadline
        while any(running.id == job for running in await self.jobs()):
            if time.monotonic() > until:
                raise PartError(f"job {job} was not cancelled within {deadline:.0f} s", "see logs flink-jobmanager")
            await asyncio.sleep(POLL)

    async def stop_with_savepoint(self, job: str, folder: str, deadline: float = 120) -> str:
        """Stops the job; the savepoint's location. Raises PartError when Flink could not take it."""
        body = {"targetDirectory": folder, "drain": False}
        trigger = (await self._call("POST", f"/jobs/{job}/stop", body))["request-id"]
        until = time.monotonic() + deadline
        while time.monotonic() < until:
            told = await self._call("GET", f"/jobs/{job}/savepoints/{trigger}")
            if told["status"]["id"] == "COMPLETED":
                operation = told["operation"]
                if "location" in operation:
                    return str(operation["location"])
                cause = operation.get("failure-cause", {}).get("class", "unknown cause")
                raise PartError(f"Flink could not take a savepoint of job {job}: {cause}")
            await asyncio.sleep(POLL)
        raise PartError(f"Flink took no savepoint of job {job} within {deadline:.0f} s")
