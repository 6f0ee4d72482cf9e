"""Where the keys that verify tokens come from: a JWKS by URL or file, or a file with a secret.

Files are read again when they change; a URL is cached and asked again after `CACHE_SECONDS`, or early when a token
names an unknown key, but never more often than every `RETRY_SECONDS`: a caller cannot make the gateway hammer it.
"""

from __future__ import annotations

import asyncio
import logging
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import jwt
import orjson

from headrace.core.documents import Auth
from headrace_apps.gateway.problems import Problem

log = logging.getLogger(__name__)

CACHE_SECONDS = 300.0
RETRY_SECONDS = 10.0
LOOK_SECONDS = 1.0
"""How often a file's time of change is looked at."""
FETCH_TIMEOUT = 5.0
MAX_JWKS_BYTES = 1024 * 1024
MIN_SECRET_BYTES = 32
"""RFC 7518, 3.2: an HS256 key is at least as long as its hash."""

Keys = Mapping[str | None, tuple[Any, str]]
"""By `kid`: the key and the one algorithm it is for. None stands for a token without `kid`."""


class UnknownKey(LookupError):  # noqa: N818
    """No key of that id."""


class KeySourceUnusable(ValueError):  # noqa: N818
    """The configured source cannot be used; the message says what to change."""


class KeySource(Protocol):
    @property
    def generation(self) -> int:
        """Changes whenever the keys do."""

    def key_for(self, kid: str | None) -> tuple[Any, str]:
        """The key and its algorithm. Raises UnknownKey."""

    async def refresh_if_stale(self) -> None:
        """Cheap when nothing is to be done. Raises Problem 503 while there are no keys at all."""

    async def refresh_for_unknown_key(self) -> None:
        """Ask the source again, if it was not asked just now."""


def parse_jwks(content: bytes) -> Keys:
    """The RSA and P-256 signing keys of a JWKS, each with its algorithm; other keys are left out."""
    document = orjson.loads(content)
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise KeySourceUnusable('a JWKS is an object with a list "keys"')
    keys: dict[str | None, tuple[Any, str]] = {}
    for entry in entries:
        if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
            continue
        is_p256 = entry.get("kty") == "EC" and entry.get("crv") == "P-256"
        algorithm = "RS256" if entry.get("kty") == "RSA" else "ES256" if is_p256 else None
        if algorithm is None or entry.get("alg", algorithm) != algorithm:
            continue
        try:
            key = jwt.PyJWK(entry, algorithm).key
        except (jwt.PyJWTError, ValueError, TypeError) as exc:
            raise KeySourceUnusable(f"the key {entry.get('kid')!r} of the JWKS is broken: {exc}") from exc
        kid = entry.get("kid")
        keys[kid if isinstance(kid, str) else None] = (key, algorithm)
    if len(keys) == 1:
        # A token without `kid` can only mean the one key there is.
        keys.setdefault(None, next(iter(keys.values())))
    return keys


def parse_secret(content: bytes) -> Keys:
    """An HS256 secret: the file's bytes without white space around them."""
    secret = content.strip()
    if len(secret) < MIN_SECRET_BYTES:
        raise KeySourceUnusable(f"an HS256 secret has at least {MIN_SECRET_BYTES} bytes")
    return {None: (secret, "HS256")}


class _Cached:
    """Keys with a generation; `any_kid`: the one key serves whatever id a token names."""

    def __init__(self, *, any_kid: bool) -> None:
        self._keys: Keys = {}
        self._any_kid = any_kid
        self.generation = 0

    def key_for(self, kid: str | None) -> tuple[Any, str]:
        key = self._keys.get(None if self._any_kid or not isinstance(kid, str) else kid)
        if key is None:
            raise UnknownKey("The token is signed with a key that the gateway does not know.")
        return key

    def _replace(self, keys: Keys) -> None:
        self._keys = keys
        self.generation += 1


class KeyFile(_Cached):
    """A JWKS or secret in a file. Raises KeySourceUnusable when it cannot be read at the start."""

    def __init__(self, path: Path, parse: Callable[[bytes], Keys], now: Callable[[], float]) -> None:
        super().__init__(any_kid=parse is parse_secret)
        self._path = path
        self._parse = parse
        self._now = now
        self._looked = now()
        self._seen: tuple[int, int, int] | None = None
        try:
            self._read()
        except (OSError, ValueError) as exc:
            raise KeySourceUnusable(f"{path}: {exc}") from exc

    async def refresh_if_stale(self) -> None:
        if self._now() - self._looked >= LOOK_SECONDS:
            self._look()

    async def refresh_for_unknown_key(self) -> None:
        self._look()

    def _look(self) -> None:
        self._looked = self._now()
        try:
            self._read()
        except (OSError, ValueError) as exc:
            log.warning("%s cannot be read again, the keys read before stay in use: %s", self._path, exc)

    def _read(self) -> None:
        status = self._path.stat()
        seen = (status.st_mtime_ns, status.st_size, status.st_ino)
        if seen == self._seen:
            return
        self._replace(self._parse(self._path.read_bytes()))
        self._seen = seen


class JwksUrl(_Cached):
    """A JWKS behind a URL, fetched when first needed. `fetch` blocks and raises OSError or ValueError."""

    def __init__(self, url: str, now: Callable[[], float], fetch: Callable[[str], bytes] | None = None) -> None:
        super().__init__(any_kid=False)
        self._url = url
        self._now = now
        self._fetch = fetch or fetch_jwks
        self._asked: float | None = None
        self._got: float | None = None
        self._lock = asyncio.Lock()

    async def refresh_if_stale(self) -> None:
        if self._got is None or self._now() - self._got >= CACHE_SECONDS:
            await self._refresh()
        if self._got is None:
            detail = "The keys that verify tokens cannot be fetched now; try again."
            raise Problem(503, "no-keys", detail, headers={"Retry-After": str(int(RETRY_SECONDS))})

    async def refresh_for_unknown_key(self) -> None:
        await self._refresh()

    async def _refresh(self) -> None:
        asked_before = self._asked
        async with self._lock:
            if self._asked != asked_before:
                return  # another request asked while this one waited
            if self._asked is not None and self._now() - self._asked < RETRY_SECONDS:
                return
            self._asked = self._now()
            try:
                content = await asyncio.to_thread(self._fetch, self._url)
                self._replace(parse_jwks(content))
                self._got = self._now()
            except (OSError, ValueError) as exc:
                log.warning("the JWKS at %s cannot be fetched, keys read before stay in use: %s", self._url, exc)


def fetch_jwks(url: str) -> bytes:
    """GET the JWKS; raises OSError (which urllib's errors are) or ValueError."""
    if not url.startswith(("http://", "https://")):
        raise ValueError("a JWKS URL begins with https:// or http://")
    with urllib.request.urlopen(url, timeout=FETCH_TIMEOUT) as answer:  # noqa: S310 - the scheme was looked at
        content: bytes = answer.read(MAX_JWKS_BYTES + 1)
    if len(content) > MAX_JWKS_BYTES:
        raise ValueError(f"it has more than {MAX_JWKS_BYTES} bytes")
    return content


def key_source(auth: Auth, now: Callable[[], float]) -> KeySource:
    """The document's one key source. Raises KeySourceUnusable."""
    given = [s for s in (auth.jwks_url, auth.jwks_file, auth.hs256_secret_file) if s is not None]
    if len(given) != 1:
        raise KeySourceUnusable("auth needs exactly one of jwksUrl, jwksFile and hs256SecretFile")
    if auth.jwks_url is not None:
        return JwksUrl(auth.jwks_url, now)
    if auth.jwks_file is not None:
        return KeyFile(Path(auth.jwks_file), parse_jwks, now)
    return KeyFile(Path(given[0]), parse_secret, now)
