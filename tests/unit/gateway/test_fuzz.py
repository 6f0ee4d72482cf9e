"""Whatever comes over HTTP, the answer is never a 500."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from .conftest import EVENT, RememberingProducer, serve

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
fuzz = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)


@pytest.fixture(scope="module")
def shared() -> Iterator[TestClient]:
    with serve(RememberingProducer()) as client:
        yield client


json_like = st.recursive(
    st.sampled_from([b"1", b"null", b'"\\ud800"', b"1e400", EVENT, b"NaN", b'"\xff"', b'{"a":1,"a":2}']),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda items: b"[" + b",".join(items) + b"]"),
        st.lists(inner, max_size=4).map(b"\n".join),
        st.tuples(st.binary(max_size=4), inner).map(lambda pair: b'{"' + pair[0] + b'":' + pair[1] + b"}"),
    ),
    max_leaves=8,
)
bodies = st.one_of(st.binary(max_size=200), json_like, json_like.map(gzip.compress))
header_text = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)
media_types = st.sampled_from(["application/json", "application/x-ndjson", "application/json;x", "text/html", ""])
encodings = st.sampled_from(["", "gzip", "zstd", "gzip, zstd", "identity", "x"])
topics = st.sampled_from(["clicks", "strays", "results", "nothing"])


@fuzz
@given(topics, bodies, media_types | header_text, encodings | header_text, header_text)
def test_posting_anything(  # noqa: PLR0917
    shared: TestClient, topic: str, body: bytes, media: str, encoding: str, token: str
) -> None:
    headers = {"content-type": media, "content-encoding": encoding, "authorization": token}
    answer = shared.post(f"/v1/topics/{topic}/events", content=body, headers=headers)
    assert answer.status_code in {200, 202, 400, 404, 405, 413, 415, 422}
    assert answer.json()


names = st.sampled_from(["partition", "offset", "timestamp", "from", "cursor", "limit", "wait"])
values = st.one_of(
    st.text(max_size=20),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(["earliest", "latest", "0-1_1-0", "2026-11-22T19:01:00Z", "9" * 30, "0-" + "9" * 18]),
)


@settings(fuzz, max_examples=60)
@given(topics, st.dictionaries(names, values, max_size=4), header_text, st.booleans())
def test_reading_with_anything(
    shared: TestClient, topic: str, query: dict[str, str], last_event_id: str, stream: bool
) -> None:
    query = {k: v.encode("utf-8", "replace").decode() for k, v in query.items()}
    headers = {"last-event-id": last_event_id} | ({"accept": "text/event-stream"} if stream else {})
    answer = shared.get(f"/v1/topics/{topic}/events", params=query, headers=headers)
    assert answer.status_code in {404, 422, 503}  # there is no broker
    assert answer.json()["status"] == answer.status_code


@fuzz
@given(st.text(max_size=30), st.sampled_from(["GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE"]))
def test_asking_for_anything(shared: TestClient, path: str, method: str) -> None:
    path = path.encode("utf-8", "replace").decode()
    answer = shared.request(method, "/v1/" + quote(path))
    assert answer.status_code < 500
