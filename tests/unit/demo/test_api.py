"""How the demo reads the gateway's answers: what to send again, what is final, what is an outage."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from headrace_apps.demo.api import Api, Away, Unexpected
from headrace_apps.demo.ledger import Answer, Kind, Outcome, Sent

CLICK = Sent("a", Kind.EVENT, "clicks", {})
Handler = Callable[[httpx.Request], httpx.Response]


def api(handler: Handler) -> Api:
    return Api("http://gateway", "token", httpx.MockTransport(handler))


def answering(status: int, content: object) -> Api:
    return api(lambda _: httpx.Response(status, json=content))


RESULTS = [
    {"index": 0, "status": "accepted", "partition": 3, "offset": 17},
    {"index": 1, "status": "refused", "errors": []},
    {"index": 2, "status": "failed", "errors": []},
]


@pytest.mark.parametrize("status", [200, 202, 422, 503])
def test_each_event_has_its_own_answer_whatever_the_status(status: int) -> None:
    answers = answering(status, {"results": RESULTS}).send("clicks", [CLICK] * 3)
    assert answers == [Answer(Outcome.ACCEPTED, 3, 17), Answer(Outcome.REFUSED), None]


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_an_answer_without_results_that_will_pass_is_an_outage(status: int) -> None:
    with pytest.raises(Away):
        answering(status, {"detail": "busy"}).send("clicks", [CLICK])


@pytest.mark.parametrize("status", [401, 403, 404, 405, 413])
def test_an_answer_that_will_not_pass_is_unexpected(status: int) -> None:
    with pytest.raises(Unexpected, match=str(status)):
        answering(status, {"detail": "no"}).send("clicks", [CLICK])


def test_a_broken_connection_is_an_outage() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(Away, match="refused"):
        api(refuse).send("clicks", [CLICK])
    assert not api(refuse).is_ready()


def test_reading_goes_on_from_the_cursor() -> None:
    asked: list[dict[str, str]] = []

    def page(request: httpx.Request) -> httpx.Response:
        asked.append(dict(request.url.params))
        return httpx.Response(200, json={"events": [{"value": 1}], "next": "0-1"})

    client = api(page)
    first = client.read("clean_clicks", None, wait=2)
    client.read("clean_clicks", first.cursor, wait=2)
    assert first.events == [{"value": 1}]
    assert [("from" in a, a.get("cursor")) for a in asked] == [(True, None), (False, "0-1")]


def test_the_size_of_a_view_is_counted_over_its_pages() -> None:
    pages = {"": ([1, 2], "next"), "next": ([3], None)}

    def answer(request: httpx.Request) -> httpx.Response:
        values, cursor = pages[request.url.params.get("cursor", "")]
        return httpx.Response(200, json={"entries": [{"value": {"n": n}} for n in values], "next": cursor})

    assert api(answer).view_size("accounts") == 3
