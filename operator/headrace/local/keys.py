"""Tokens for local use: an ES256 key in the state folder, its public half as a JWKS file that the gateway reads."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from headrace.local.state import write_whole

ISSUER = "https://headrace.local"
AUDIENCE = "headrace"


def jwks_file(state: Path) -> Path:
    return state / "keys" / "jwks.json"


def make_keys(state: Path) -> Path:
    """The JWKS file, made with its private key if need be. The private key is readable by the user alone."""
    private, public = state / "keys" / "private.pem", jwks_file(state)
    if private.exists() and public.exists():
        return public
    key = ec.generate_private_key(ec.SECP256R1())
    jwk = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    jwk |= {"kid": uuid.uuid4().hex, "alg": "ES256", "use": "sig"}
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_whole(private, pem.decode(), mode=0o600)
    write_whole(public, json.dumps({"keys": [jwk]}, indent=2) + "\n")
    return public


def sign_token(
    state: Path,
    scopes: Sequence[str],
    seconds: int,
    subject: str = "local",
    clock: Callable[[], float] = time.time,
) -> str:
    """A token with these scopes, valid for `seconds` from now."""
    public = make_keys(state)
    kid = json.loads(public.read_text())["keys"][0]["kid"]
    now = int(clock())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": subject,
        "scope": " ".join(scopes),
        "iat": now,
        "nbf": now,
        "exp": now + seconds,
        "jti": uuid.uuid4().hex,
    }
    private = (state / "keys" / "private.pem").read_text()
    return jwt.encode(claims, private, algorithm="ES256", headers={"kid": kid})
