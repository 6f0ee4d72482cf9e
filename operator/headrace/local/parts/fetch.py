"""Parts into the cache: concurrent, resumable, verified by SHA-256, under their final name only when complete.

A download goes to `<name>.part` and continues there after a break (HTTP Range). A wrong checksum is fetched once more
from the start, then it is an error. Two processes may fetch at once: each file is held by a lock while it is written.
"""

from __future__ import annotations

# ruff: noqa: ASYNC240 - asking the local disk about one file takes microseconds
import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from headrace.local.announce import Announcer, Work
from headrace.local.cache import exclusive, worded
from headrace.local.errors import PartError
from headrace.local.parts.lock import Part

MIRROR_VARIABLE = "HEADRACE_MAVEN_MIRROR"
ATTEMPTS = 5
CONCURRENT_DOWNLOADS = 6
CHUNK = 1 << 18


def base_url(environ: Mapping[str, str]) -> str:
    """The Maven repository: HEADRACE_MAVEN_MIRROR, else the default of the resolver that wrote the lock."""
    mirror = environ.get(MIRROR_VARIABLE)
    if mirror:
        return mirror.rstrip("/")
    from jgo.constants import MAVEN_CENTRAL_URL  # imports half a second of resolver: only when something is missing

    return str(MAVEN_CENTRAL_URL).rstrip("/")


class WrongChecksumError(Exception):
    def __init__(self, got: str) -> None:
        super().__init__(got)
        self.got = got


@dataclass(frozen=True)
class Fetcher:
    """Gets parts into `folder`. `transport` is httpx's, so that tests inject a repository of their own."""

    folder: Path
    announcer: Announcer
    environ: Mapping[str, str]
    transport: httpx.AsyncBaseTransport | None = None
    backoff: float = 0.5  # seconds before the second attempt; doubles

    def path_of(self, part: Part) -> Path:
        return self.folder / part.path

    async def fetch(self, label: str, parts: Sequence[Part]) -> list[Path]:
        """The files of the parts in their order, fetching what is missing or damaged. Raises PartError."""
        missing = [part for part in parts if not await asyncio.to_thread(is_whole, self.path_of(part), part)]
        if missing:
            limit = asyncio.Semaphore(CONCURRENT_DOWNLOADS)
            with self.announcer.work(f"fetching {label}", sum(part.size for part in missing)) as work:
                async with httpx.AsyncClient(
                    base_url=base_url(self.environ) + "/",
                    transport=self.transport,
                    timeout=httpx.Timeout(30, connect=10),
                    follow_redirects=True,
                    limits=httpx.Limits(max_connections=CONCURRENT_DOWNLOADS),
                ) as client:
                    try:
                        async with asyncio.TaskGroup() as group:
                            for part in missing:
                                group.create_task(self._fetch_one(client, part, limit, work))
                    except* PartError as failures:
                        raise failures.exceptions[0] from None
        return [self.path_of(part) for part in parts]

    async def _fetch_one(self, client: httpx.AsyncClient, part: Part, limit: asyncio.Semaphore, work: Work) -> None:
        target = self.path_of(part)
        async with limit, exclusive(target):
            if is_whole(target, part):  # another process fetched it while this one waited
                work.advance(part.size)
                return
            partial = target.with_name(target.name + ".part")
            wrong: WrongChecksumError | None = None
            for _ in range(2):
                await self._download(client, part, partial, work)
                try:
                    verify(partial, part)
                except WrongChecksumError as error:
                    wrong = error
                    partial.unlink()
                    continue
                with worded(target):
                    partial.rename(target)
                return
            assert wrong is not None  # noqa: S101 - both rounds ended with it
            raise PartError(
                f"{part.file_name} has the wrong checksum: expected SHA-256 {part.sha256}, got {wrong.got} "
                f"(fetched twice from {client.base_url})",
                f"check what stands between this machine and the repository, or set {MIRROR_VARIABLE} to another one",
            )

    async def _download(self, client: httpx.AsyncClient, part: Part, partial: Path, work: Work) -> None:
        """The whole part into `partial`, continuing what is there; retries what may pass."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await self._stream(client, part, partial, work)
            except httpx.HTTPStatusError as error:
                status = error.response.status_code
                if status == 404:
                    raise PartError(
                        f"{part.coordinates} is not at {client.base_url} (HTTP 404)",
                        f"check {MIRROR_VARIABLE}: the mirror must carry Maven Central's files",
                    ) from error
                if status in (401, 403, 407) or attempt == ATTEMPTS:
                    raise PartError(
                        f"{client.base_url} answers HTTP {status} for {part.file_name}",
                        f"set {MIRROR_VARIABLE} to a repository that this machine may read",
                    ) from error
            except httpx.TransportError as error:
                if attempt == ATTEMPTS:
                    raise PartError(
                        f"cannot reach {client.base_url} for {part.file_name}: {error or type(error).__name__} "
                        f"({ATTEMPTS} attempts)",
                        f"check the network or the proxy (HTTPS_PROXY), or set {MIRROR_VARIABLE} to a mirror; "
                        "what was fetched so far is kept",
                    ) from error
            else:
                return
            await asyncio.sleep(self.backoff * 2 ** (attempt - 1))

    async def _stream(self, client: httpx.AsyncClient, part: Part, partial: Path, work: Work) -> None:
        have = partial.stat().st_size if partial.exists() else 0
        if have >= part.size:  # whole, or longer than it can be: the checksum decides
            return
        headers = {"Range": f"bytes={have}-"} if have else {}
        async with client.stream("GET", part.path, headers=headers) as response:
            if response.status_code == 416:  # the repository's file is shorter than what is here: start anew
                partial.unlink()
                raise httpx.ReadError("the repository refuses to continue the download", request=response.request)
            response.raise_for_status()
            continued = response.status_code == 206
            with worded(partial), partial.open("ab" if continued else "wb") as file:
                if continued:
                    work.advance(have)
                async for chunk in response.aiter_raw(CHUNK):
                    file.write(chunk)
                    work.advance(len(chunk))
        if partial.stat().st_size < part.size:
            raise httpx.ReadError("the connection ended early", request=response.request)


def verify(file: Path, part: Part) -> None:
    """Raises WrongChecksumError when the content is not the lock's."""
    with file.open("rb") as stream:
        got = hashlib.file_digest(stream, "sha256").hexdigest()
    if got != part.sha256:
        raise WrongChecksumError(got)


def is_whole(file: Path, part: Part) -> bool:
    """True when the cached file is the lock's, byte for byte; a damaged one is fetched again."""
    try:
        if file.stat().st_size != part.size:
            return False
        verify(file, part)
    except (FileNotFoundError, WrongChecksumError):
        return False
    return True
