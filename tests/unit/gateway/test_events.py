"""Reading events over HTTP from a topic in memory."""

from __future__ import annotations

import pytest

from headrace_apps.gateway.limits import Limits
from headrace_apps.gateway.tokens import Caller

from .conftest import NOW, RememberingProducer, serve
from .paper_broker import PaperBroker

URL = "/v1/topics/clicks/events"


@pytest.mark.parametrize("wait", [0, 1])
def test_a_page_ends_after_so_many_bytes_and_its_cursor_goes_on(broker: PaperBroker, wait: float) -> None:
    for _ in range(7):
        broker.add(b"k", b'"' + b"x" * 400 + b'"')
    broker.add(b"k", b'"' + b"x" * 5000 + b'"')
    with serve(RememberingProducer(), limits=Limits(read_timeout=1, max_page_bytes=1000)) as client:
        pages: list[list[int]] = []
        cursor = {"partition": "0"}
        while sum(len(offsets) for offsets in pages) < 8:
            answer = client.get(URL, params={**cursor, "wait": wait}).json()
            pages.append([event["offset"] for event in answer["events"]])
            cursor = {"cursor": answer["next"]}
    assert pages == [[0, 1, 2], [3, 4, 5], [6, 7]]


class Doorman:
    """Lets everyone in until a minute from now."""

    async def caller(self, authorization: str | None) -> Caller:
        return Caller("me", frozenset({"p.clicks:read"}), NOW + 60)


def test_a_stream_ends_with_its_token_and_its_last_id_goes_on(broker: PaperBroker) -> None:
    broker.polls = 2000
    clock = iter(range(10**6))
    for _ in range(5):
        broker.add(b"k", b"{}")
    with serve(RememberingProducer(), verifier=Doorman(), now=lambda: NOW + next(clock)) as client:
        accept = {"accept": "text/event-stream"}
        ended = client.get(URL, params={"from": "earliest"}, headers=accept)
    assert ended.text.count("data: ") == 5
    last = ended.text.rpartition("id: ")[2].split("\n")[0]
    broker.add(b"k", b'{"n":6}')
    clock = iter(range(10**6))
    with serve(RememberingProducer(), verifier=Doorman(), now=lambda: NOW + next(clock)) as client:
        resumed = client.get(URL, headers={**accept, "last-event-id": last})
    assert resumed.text.count("data: ") == 1
    assert '"value":{"n":6}' in resumed.text
