"""Reading events over HTTP from a topic in memory."""

from __future__ import annotations

import pytest

from headrace_apps.gateway.limits import Limits

from .conftest import RememberingProducer, serve
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
