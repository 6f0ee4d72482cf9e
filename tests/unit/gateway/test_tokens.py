"""Tokens: who is let in, who is not, and that no trick with algorithms or keys changes that."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from headrace.core.documents import Auth
from headrace_apps.gateway import keysets
from headrace_apps.gateway.keysets import JwksUrl, KeySourceUnusable, key_source, parse_jwks
from headrace_apps.gateway.problems import Problem
from headrace_apps.gateway.tokens import Caller, TokenVerifier, demand, scopes_of

from .conftest import EVENT, NOW, RememberingProducer, make_document, serve

SECRET = b"0123456789abcdef0123456789abcdef"
RSA_KEY = rsa.generate_private_key(65537, 2048)
OTHER_RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ISSUER, AUDIENCE = "https://headrace.local", "headrace"


def jwks(**keys: Any) -> bytes:
    entries = []
    for kid, key in keys.items():
        algorithm: Any = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
        entries.append({**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig"})
    return json.dumps({"keys": entries}).encode()


def mint(key: Any, algorithm: str, kid: str | None = None, **claims: Any) -> str:
    content = {"iss": ISSUER, "aud": AUDIENCE, "sub": "me", "exp": NOW + 60, "scope": "p.clicks:write x", **claims}
    content = {name: value for name, value in content.items() if value is not None}
    return jwt.encode(content, key, algorithm, headers={"kid": kid} if kid else None)


@pytest.fixture
def clock() -> list[float]:
    return [NOW]


Verify = Callable[[str | None], Caller]


def verify_with(verifier: TokenVerifier) -> Verify:
    return lambda token: asyncio.run(verifier.caller(f"Bearer {token}" if token is not None else None))


@pytest.fixture
def jwks_file(tmp_path: Path) -> Path:
    file = tmp_path / "jwks.json"
    file.write_bytes(jwks(r=RSA_KEY, e=EC_KEY))
    return file


@pytest.fixture
def verify(jwks_file: Path, clock: list[float]) -> Verify:
    auth = Auth(issuer=ISSUER, audience=AUDIENCE, jwks_file=str(jwks_file))
    return verify_with(TokenVerifier(auth, key_source(auth, lambda: clock[0]), lambda: clock[0]))


@pytest.fixture
def verify_secret(tmp_path: Path, clock: list[float]) -> Verify:
    file = tmp_path / "secret"
    file.write_bytes(SECRET + b"\n")
    auth = Auth(issuer=ISSUER, audience=AUDIENCE, hs256_secret_file=str(file))
    return verify_with(TokenVerifier(auth, key_source(auth, lambda: clock[0]), lambda: clock[0]))


def refused(verify: Verify, token: str | None) -> Problem:
    with pytest.raises(Problem) as caught:
        verify(token)
    assert caught.value.status == 401
    assert caught.value.headers["WWW-Authenticate"].startswith('Bearer realm="headrace"')
    return caught.value


def test_rs256_and_es256_tokens_of_the_key_set_are_let_in(verify: Verify) -> None:
    for token in (mint(RSA_KEY, "RS256", "r"), mint(EC_KEY, "ES256", "e")):
        assert verify(token) == Caller("me", frozenset({"p.clicks:write", "x"}), NOW + 60 + 30)


def test_an_hs256_token_of_the_secret_is_let_in_whatever_its_kid(verify_secret: Verify) -> None:
    assert verify_secret(mint(SECRET, "HS256")).subject == "me"
    assert verify_secret(mint(SECRET, "HS256", "any")).subject == "me"


def test_a_public_key_never_serves_as_a_secret(verify: Verify) -> None:
    """The classic confusion: an HS256 token signed with the public key's text."""
    from cryptography.hazmat.primitives import serialization as s

    public = RSA_KEY.public_key().public_bytes(s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo)
    good = mint(RSA_KEY, "RS256", "r")
    for algorithm in ("HS256", "none", "HS512", "RS512", "PS256", "ES256"):
        header = base64.urlsafe_b64encode(json.dumps({"alg": algorithm, "kid": "r", "typ": "JWT"}).encode()).rstrip(
            b"="
        )
        signed = header + b"." + good.split(".")[1].encode()
        mac = base64.urlsafe_b64encode(hmac.new(public, signed, hashlib.sha256).digest()).rstrip(b"=")
        for signature in (mac, b"", good.split(".")[2].encode()):
            refused(verify, (signed + b"." + signature).decode())


def test_a_key_serves_its_own_algorithm_only(verify: Verify, verify_secret: Verify) -> None:
    refused(verify, mint(RSA_KEY, "RS512", "r"))
    refused(verify, mint(RSA_KEY, "PS256", "r"))
    refused(verify, mint(SECRET, "HS256", "r"))
    refused(verify_secret, mint(SECRET, "HS512"))
    refused(verify_secret, mint(RSA_KEY, "RS256"))


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": NOW - 31}, "expired"),
        ({"exp": float("nan")}, "expired"),
        ({"nbf": NOW + 31}, "not valid yet"),
        ({"iss": "https://other"}, "issuer"),
        ({"iss": None}, "'iss'"),
        ({"aud": "other"}, "audience"),
        ({"aud": None}, "'aud'"),
        ({"exp": None}, "'exp'"),
        ({"exp": "soon"}, "valid"),
        ({"exp": [1]}, "valid"),
        ({"nbf": {}}, "valid"),
    ],
)
def test_claims_that_do_not_hold_are_named(verify: Verify, claims: dict[str, Any], reason: str) -> None:
    assert reason in refused(verify, mint(RSA_KEY, "RS256", "r", **claims)).detail


def test_clocks_may_differ_by_thirty_seconds(verify: Verify) -> None:
    verify(mint(RSA_KEY, "RS256", "r", exp=NOW - 29))
    verify(mint(RSA_KEY, "RS256", "r", nbf=NOW + 29))
    verify(mint(RSA_KEY, "RS256", "r", aud=["x", AUDIENCE]))


def test_a_token_seen_before_still_expires(verify: Verify, clock: list[float]) -> None:
    token = mint(RSA_KEY, "RS256", "r")
    verify(token)
    clock[0] += 89
    verify(token)
    clock[0] += 2
    refused(verify, token)


def test_a_changed_key_file_lets_new_keys_in_and_old_ones_out(
    verify: Verify, jwks_file: Path, clock: list[float]
) -> None:
    old, new = mint(RSA_KEY, "RS256", "r"), mint(OTHER_RSA_KEY, "RS256", "new")
    verify(old)
    refused(verify, new)
    jwks_file.write_bytes(jwks(new=OTHER_RSA_KEY))
    clock[0] += 2
    verify(new)
    refused(verify, old)


def test_a_key_file_that_breaks_leaves_the_keys_in_use(verify: Verify, jwks_file: Path, clock: list[float]) -> None:
    jwks_file.write_bytes(b"{")
    clock[0] += 2
    verify(mint(RSA_KEY, "RS256", "r"))


@pytest.mark.parametrize("content", [b"", b"[]", b'{"keys":3}', b'{"keys":[{"kty":"RSA"}]}'])
def test_a_key_file_that_is_broken_at_the_start_is_said(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "jwks.json"
    file.write_bytes(content)
    auth = Auth(issuer=ISSUER, audience=AUDIENCE, jwks_file=str(file))
    with pytest.raises(KeySourceUnusable, match=r"jwks\.json"):
        key_source(auth, lambda: NOW)


def test_a_short_secret_and_two_sources_are_said(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"short")
    with pytest.raises(KeySourceUnusable, match="32 bytes"):
        key_source(Auth(issuer="i", audience="a", hs256_secret_file=str(tmp_path / "secret")), lambda: NOW)
    with pytest.raises(KeySourceUnusable, match="exactly one"):
        key_source(Auth(issuer="i", audience="a", jwks_file="x", jwks_url="y"), lambda: NOW)


def test_keys_for_other_uses_are_left_out() -> None:
    entry = json.loads(jwks(r=RSA_KEY))["keys"][0]
    for change in ({"use": "enc"}, {"alg": "RS512"}, {"kty": "oct", "k": "AAAA"}):
        assert parse_jwks(json.dumps({"keys": [{**entry, **change}]}).encode()) == {}


def test_a_key_url_is_asked_again_for_an_unknown_key_but_not_often(clock: list[float]) -> None:
    asked: list[float] = []
    served = [jwks(r=RSA_KEY)]

    def fetch(_: str) -> bytes:
        asked.append(clock[0])
        return served[0]

    auth = Auth(issuer=ISSUER, audience=AUDIENCE, jwks_url="https://issuer/jwks")

    async def story() -> None:
        verifier = TokenVerifier(auth, JwksUrl("https://issuer/jwks", lambda: clock[0], fetch), lambda: clock[0])

        async def enters(token: str) -> bool:
            try:
                await verifier.caller("Bearer " + token)
            except Problem as problem:
                assert problem.status == 401
                return False
            return True

        old = mint(RSA_KEY, "RS256", "r", exp=NOW + 9000)
        new = mint(OTHER_RSA_KEY, "RS256", "new", exp=NOW + 9000)
        assert await enters(old)
        assert len(asked) == 1
        served[0] = jwks(r=RSA_KEY, new=OTHER_RSA_KEY)
        assert not any(await asyncio.gather(*(enters(new) for _ in range(20))))
        assert len(asked) == 1  # just asked
        clock[0] += keysets.RETRY_SECONDS
        assert all(await asyncio.gather(*(enters(new) for _ in range(20))))
        assert len(asked) == 2
        clock[0] += keysets.CACHE_SECONDS
        assert await enters(old)
        assert len(asked) == 3

    asyncio.run(story())


def test_without_any_keys_it_is_a_503(clock: list[float]) -> None:
    def fetch(_: str) -> bytes:
        raise OSError("refused")

    auth = Auth(issuer=ISSUER, audience=AUDIENCE, jwks_url="https://issuer/jwks")

    async def ask() -> None:
        await TokenVerifier(auth, JwksUrl("u", lambda: NOW, fetch), lambda: NOW).caller("Bearer x.y.z")

    with pytest.raises(Problem) as caught:
        asyncio.run(ask())
    assert caught.value.status == 503


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic abc", "Bearer " + "x" * 20_000])
def test_without_a_bearer_token_nobody_is_let_in(jwks_file: Path, header: str | None) -> None:
    auth = Auth(issuer=ISSUER, audience=AUDIENCE, jwks_file=str(jwks_file))
    verifier = TokenVerifier(auth, key_source(auth, lambda: NOW), lambda: NOW)
    with pytest.raises(Problem) as caught:
        asyncio.run(verifier.caller(header))
    assert caught.value.status == 401


parts = st.one_of(
    st.text(max_size=30),
    st.dictionaries(
        st.sampled_from(["alg", "kid", "exp", "crit", "b64"]), st.none() | st.text() | st.lists(st.text())
    ).map(lambda d: base64.urlsafe_b64encode(json.dumps(d).encode()).rstrip(b"=").decode()),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(parts, max_size=4).map(".".join) | st.text())
def test_any_text_as_a_token_is_a_401(verify: Verify, token: str) -> None:
    refused(verify, token)


def test_scopes_come_as_text_or_list() -> None:
    assert scopes_of({"scope": "a b", "scp": ["c", 3], "scopes": ["d e"]}) == {"a", "b", "c", "d e"}
    assert scopes_of({"scope": 3, "scp": {"a": 1}}) == frozenset()


def test_a_missing_scope_is_named() -> None:
    with pytest.raises(Problem) as caught:
        demand(Caller("me", frozenset({"a"})), ["a", "b"])
    assert caught.value.status == 403
    assert caught.value.members["missing"] == ["b"]
    demand(None, ["a"])


def test_over_http_tokens_and_scopes_decide_and_never_reach_the_log(
    jwks_file: Path, producer: RememberingProducer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    auth = Auth(issuer=ISSUER, audience=AUDIENCE, jwks_file=str(jwks_file))
    verifier = TokenVerifier(auth, key_source(auth, lambda: NOW), lambda: NOW)
    writer, stranger = mint(RSA_KEY, "RS256", "r"), mint(EC_KEY, "ES256", "e", scope="y")
    url, json_type = "/v1/topics/clicks/events", {"content-type": "application/json"}
    with serve(producer, make_document(auth=auth.model_dump()), verifier) as client:
        assert client.post(url, content=EVENT, headers=json_type).status_code == 401
        assert client.get("/v1/topics/nothing/events").status_code == 401
        assert client.get("/v1/views/none").status_code == 401

        def status(token: str, method: str, path: str) -> int:
            headers = {**json_type, "authorization": f"Bearer {token}"}
            return int(client.request(method, path, content=EVENT, headers=headers).status_code)

        assert status(writer, "POST", url) == 200
        assert status(writer, "GET", url) == 403
        assert status(stranger, "POST", url) == 403
        assert status(stranger, "POST", "/v1/topics/strays/events") == 403
        assert status(writer[:-4], "POST", url) == 401
    assert len(producer.records) == 1
    assert writer not in caplog.text
    assert stranger.split(".")[2] not in caplog.text
