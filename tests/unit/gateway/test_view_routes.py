"""Views over HTTP on a topic in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from starlette.testclient import TestClient

from headrace.core.documents import GatewayDocument, GatewayView
from headrace_apps.gateway.limits import Limits

from .conftest import NOW, RememberingProducer, make_document, serve
from .paper_broker import PaperBroker, wait_until

VIEW = "/v1/views/page-views"


def document() -> GatewayDocument:
    view = GatewayView(name="page-views", topic="results", scopes=())
    return make_document().model_copy(update={"views": (view,)})


@contextmanager
def served(limits: Limits | None = None, now: Callable[[], float] = lambda: NOW) -> Iterator[TestClient]:
    """A gateway whose view is restored."""
    with serve(RememberingProducer(), document(), limits=limits, now=now) as client:
        wait_until(lambda: client.get(VIEW).status_code == 200, "the view to be restored")
        yield client


@pytest.mark.parametrize(
    "path",
    [
        "/v1/views%2Fpage-views/x",
        "/v1/views/page-views%2Fx",
        "/v1%2Fviews/page-views/x",
        "/v1%2Fviews/page-views/x/y",
        "/v1%2Fviews%2Fpage-views%2Fx",
    ],
)
def test_a_slash_before_the_key_that_is_percent_encoded_leads_nowhere(broker: PaperBroker, path: str) -> None:
    for key in (b"x", b"y", b"x/y"):
        broker.add(key, b"{}")
    with served() as client:
        answer = client.get(path)
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:headrace:not-found")
        assert client.get(VIEW + "/x").json()["key"] == "x"
        assert client.get("/v1/v%69ews/page%2Dviews/x%2Fy").json()["key"] == "x/y"


def test_the_age_of_a_view_is_known_from_the_start_and_stays_small_on_a_busy_topic(broker: PaperBroker) -> None:
    broker.busy = True
    clock = [NOW]
    with served(now=lambda: clock[0]) as client:
        assert client.get(VIEW).json()["ageMs"] == 0
        for _ in range(3):
            clock[0] += 1.5
            wait_until(lambda: client.get(VIEW).json()["ageMs"] == 0, "the view to be confirmed again")


def test_a_key_whose_record_retention_deleted_is_gone_within_a_minute(broker: PaperBroker) -> None:
    def listed() -> list[str]:
        return [entry["key"] for entry in client.get(VIEW).json()["entries"]]

    for key in (b"a", b"b", b"c", b"b"):
        broker.add(key, b"{}")
    broker.add(b"d", b"{}", partition=1)
    clock = [NOW]
    with served(now=lambda: clock[0]) as client:
        assert listed() == ["a", "b", "c", "d"]
        broker.begins[0] = 3
        clock[0] += 60
        wait_until(lambda: listed() == ["b", "d"], "the keys to expire")
        assert client.get(VIEW + "/a").status_code == 404
        broker.add(b"a", b"{}")
        wait_until(lambda: listed() == ["a", "b", "d"], "the key to come back")


def test_a_page_of_a_view_ends_after_so_many_bytes_and_its_cursor_goes_on(broker: PaperBroker) -> None:
    for i in range(7):
        broker.add(b"k%d" % i, b'"' + b"x" * 400 + b'"')
    with served(limits=Limits(read_timeout=0.2, max_page_bytes=1000)) as client:
        pages = [client.get(VIEW).json()]
        while pages[-1]["next"] is not None:
            pages.append(client.get(VIEW, params={"cursor": pages[-1]["next"]}).json())
    assert [[entry["key"] for entry in page["entries"]] for page in pages] == [
        ["k0", "k1", "k2"],
        ["k3", "k4", "k5"],
        ["k6"],
    ]
