"""Who calls: bearer tokens (JWT) into a `Caller` with scopes, or the problem that says why not.

Algorithms are pinned by the source of the key, never taken from the token: a secret file verifies HS256 only, a
JWKS key RS256 or ES256 by its own type. So no token can make a public key serve as an HMAC secret.
No token and no part of one is ever logged.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import jwt

from headrace.core.documents import Auth
from headrace_apps.gateway.keysets import KeySource, UnknownKey
from headrace_apps.gateway.problems import Problem

LEEWAY = 30
"""Seconds that clocks may differ (exp, nbf, iat)."""
MAX_TOKEN_CHARS = 16_384
CACHED_TOKENS = 1_024


@dataclass(frozen=True, slots=True)
class Caller:
    """`good_until`: epoch seconds from which on the token is refused, the leeway included; None: it never is."""

    subject: str
    scopes: frozenset[str]
    good_until: float | None = None

    def is_good(self, now: float) -> bool:
        """`now` is epoch seconds."""
        return self.good_until is None or now < self.good_until


class Verifier(Protocol):
    """What the handlers need; a test or an open gateway brings its own."""

    async def caller(self, authorization: str | None) -> Caller | None:
        """The caller by its Authorization header, None when callers are not asked for. Raises Problem 401 or 503."""


class OpenDoor:
    """Auth is off: everyone may do everything."""

    async def caller(self, authorization: str | None) -> Caller | None:  # noqa: ARG002 - the protocol's
        return None


class TokenVerifier:
    """Verifies against one key source. `now` is epoch seconds."""

    def __init__(self, auth: Auth, keys: KeySource, now: Callable[[], float]) -> None:
        self._auth = auth
        self._keys = keys
        self._now = now
        # A signature costs as much as tens of events; a verified token is good until it expires or the keys change.
        self._verified: OrderedDict[bytes, tuple[Caller, int]] = OrderedDict()

    async def caller(self, authorization: str | None) -> Caller:
        token = bearer_token(authorization)
        await self._keys.refresh_if_stale()
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        known = self._verified.get(digest)
        if known is not None:
            caller, generation = known
            if generation == self._keys.generation and caller.is_good(self._now()):
                return caller
        claims = await self._claims(token)
        caller = Caller(str(claims.get("sub", "")), scopes_of(claims), float(claims["exp"]) + LEEWAY)
        self._verified[digest] = (caller, self._keys.generation)
        while len(self._verified) > CACHED_TOKENS:
            self._verified.popitem(last=False)
        return caller

    async def _claims(self, token: str) -> Mapping[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
            kid = header.get("kid")
            try:
                key, algorithm = self._keys.key_for(kid)
            except UnknownKey:
                await self._keys.refresh_for_unknown_key()
                key, algorithm = self._keys.key_for(kid)
            return self._decode(token, key, algorithm)
        except UnknownKey as exc:
            raise unauthorized(str(exc)) from None
        except jwt.ExpiredSignatureError:
            raise unauthorized("The token has expired.") from None
        except jwt.ImmatureSignatureError:
            raise unauthorized("The token is not valid yet.") from None
        except jwt.InvalidAudienceError:
            raise unauthorized(f"The token is not for the audience {self._auth.audience!r}.") from None
        except jwt.InvalidIssuerError:
            raise unauthorized(f"The token is not from the issuer {self._auth.issuer!r}.") from None
        except jwt.MissingRequiredClaimError as exc:
            raise unauthorized(f"The token lacks the claim {exc.claim!r}.") from None
        except jwt.InvalidAlgorithmError:
            raise unauthorized("The token is signed with an algorithm that its key is not for.") from None
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError, AttributeError):
            # Hostile tokens make the parser fail in many ways; all of them are one answer.
            raise unauthorized("The token is not a valid one.") from None

    def _decode(self, token: str, key: Any, algorithm: str) -> Mapping[str, Any]:
        claims: Mapping[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=self._auth.audience,
            issuer=self._auth.issuer,
            leeway=LEEWAY,
            # The clock is injected, so the times are checked below, not by PyJWT against the machine's.
            options={"require": ["exp", "iss", "aud"], "verify_exp": False, "verify_nbf": False, "verify_iat": False},
        )
        now = self._now()
        if not now < float(claims["exp"]) + LEEWAY:  # so put, a NaN has expired too
            raise jwt.ExpiredSignatureError
        if "nbf" in claims and now < float(claims["nbf"]) - LEEWAY:
            raise jwt.ImmatureSignatureError
        return claims


def bearer_token(authorization: str | None) -> str:
    """The token of an Authorization header. Raises Problem 401."""
    if authorization is None:
        detail = "This needs a bearer token: send the header Authorization: Bearer <token>."
        raise Problem(401, "no-token", detail, headers={"WWW-Authenticate": 'Bearer realm="headrace"'})
    scheme, _, token = authorization.strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or len(token) > MAX_TOKEN_CHARS:
        raise unauthorized("The Authorization header is not Bearer <token>.")
    return token


def unauthorized(detail: str) -> Problem:
    quoted = detail.replace("\\", "").replace('"', "'")
    header = f'Bearer realm="headrace", error="invalid_token", error_description="{quoted}"'
    return Problem(401, "invalid-token", detail, headers={"WWW-Authenticate": header})


def scopes_of(claims: Mapping[str, Any]) -> frozenset[str]:
    """`scope` as OAuth has it (one text, spaces between), or a list in `scp` or `scopes`."""
    found: set[str] = set()
    for name in ("scope", "scp", "scopes"):
        value = claims.get(name)
        if isinstance(value, str):
            found.update(value.split())
        elif isinstance(value, list):
            found.update(item for item in value if isinstance(item, str))
    return frozenset(found)


def demand(caller: Caller | None, scopes: Sequence[str]) -> None:
    """All of `scopes`, or Problem 403 that names the missing ones. No caller: auth is off."""
    if caller is None:
        return
    missing = [scope for scope in scopes if scope not in caller.scopes]
    if missing:
        needed = " ".join(scopes)
        header = f'Bearer realm="headrace", error="insufficient_scope", scope="{needed}"'
        detail = f"The token lacks the scope {', '.join(missing)}."
        raise Problem(403, "missing-scope", detail, headers={"WWW-Authenticate": header}, missing=missing)
