"""Events out of files, and into the gateway: what is sent, what is told, what is tried again."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.cli.event_files import NotEventsError, read_events
from headrace.cli.example_events import example_events, form_schema
from headrace.cli.pipelines import RunningPipeline
from headrace.cli.send import Sent, TopicIntake, send_paced
from headrace.local.errors import PartError
from headrace_apps.dead_letters.pace import Pace

from ..dead_letters.letters_made import DOCUMENT

NO_LIMIT = Pace(None, lambda: 0.0, lambda _: None)


def read(text: str | bytes) -> list[bytes]:
    return list(read_events(io.BytesIO(text if isinstance(text, bytes) else text.encode())))


@pytest.mark.parametrize(
    ("text", "events"),
    [
        ('{"a": 1}\n{"a": 2}\n', [b'{"a": 1}', b'{"a": 2}']),
        ('\n\r\n{"a": 1}\r\n\n{"a": 2}', [b'{"a": 1}', b'{"a": 2}']),
        ('{\n  "a": 1\n}\n', [b'{   "a": 1 }']),
        ('[{"a": 1.10}, {"a": 2,\n "a": 3}]', [b'{"a": 1.10}', b'{"a": 2,  "a": 3}']),
        ("[]", []),
        ("", []),
        ('{"a": 1}\nbroken\n{"a": 2}', [b'{"a": 1}', b"broken", b'{"a": 2}']),
        ('broken\n{"a": 2}', [b"broken", b'{"a": 2}']),
        ('{"a": \n{"a": 2}', [b'{"a":', b'{"a": 2}']),
        (b"\xff\xfe\n{}", [b"\xff\xfe", b"{}"]),
    ],
)
def test_events_keep_their_own_bytes_in_each_shape_of_file(text: str | bytes, events: list[bytes]) -> None:
    assert read(text) == events


def test_an_array_that_breaks_off_is_told() -> None:
    with pytest.raises(NotEventsError, match="is no JSON array"):
        read('[{"a": 1}, {')


values = st.recursive(st.none() | st.integers() | st.text(), lambda of: st.dictionaries(st.text(), of, max_size=3))


@given(st.lists(st.dictionaries(st.text(), values, max_size=3), max_size=5), st.sampled_from([None, 2]))
@settings(max_examples=100, deadline=None)
def test_lines_an_array_and_a_document_hold_the_same_events(events: list[Any], spaces: int | None) -> None:
    lines = "\n".join(json.dumps(event) for event in events)
    array = json.dumps(events, indent=spaces)
    assert [json.loads(event) for event in read(lines)] == [json.loads(event) for event in read(array)] == events


class Gateway:
    """Answers each request by `answer`, and remembers the bodies."""

    def __init__(self, *answers: Callable[[list[bytes]], httpx.Response]) -> None:
        self._answers = list(answers)
        self.bodies: list[list[bytes]] = []
        self.slept: list[float] = []
        pipeline = RunningPipeline("shop", "http://gateway", DOCUMENT, (), ())
        transport = httpx.MockTransport(self._handle)
        self.intake = TopicIntake(pipeline, DOCUMENT.topics[0], "t", transport=transport, sleep=self.slept.append)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        assert str(request.url) == "http://gateway/v1/topics/orders/events"
        events = request.content.split(b"\n")
        self.bodies.append(events)
        return (self._answers.pop(0) if len(self._answers) > 1 else self._answers[0])(events)

    def send(self, *events: bytes) -> Sent:
        sent = Sent()
        send_paced(events, self.intake, sent, NO_LIMIT)
        return sent


def result(index: int, event: bytes) -> dict[str, Any]:
    if b"bad" in event:
        errors = [{"pointer": "/amount", "message": "is bad"}]
        return {"index": index, "status": "refused", "errors": errors}
    if b"fail" in event:
        return {"index": index, "status": "failed", "errors": [{"pointer": "", "message": "no answer"}]}
    return {"index": index, "status": "accepted", "partition": 0, "offset": index}


def judged(events: list[bytes]) -> httpx.Response:
    results = [result(index, event) for index, event in enumerate(events)]
    refused = all(entry["status"] == "refused" for entry in results)
    return httpx.Response(422 if refused else 200, json={"results": results})


def all_taken(events: list[bytes]) -> httpx.Response:
    return judged([b"fine" for _ in events])


def test_refused_events_are_counted_with_their_number_and_why() -> None:
    sent = Gateway(judged).send(b"1", b"bad", b"3")
    assert sent.counts == {"accepted": 2, "refused": 1}
    assert sent.refusals == [(2, "refused", "/amount: is bad")]


def test_a_batch_of_which_all_is_refused_is_no_outage() -> None:
    assert Gateway(judged).send(b"bad").refusals == [(1, "refused", "/amount: is bad")]


def test_what_kafka_did_not_acknowledge_is_sent_again_and_nothing_else() -> None:
    gateway = Gateway(judged, all_taken)
    sent = gateway.send(b"1", b"fail 2", b"bad", b"fail 4")
    assert gateway.bodies == [[b"1", b"fail 2", b"bad", b"fail 4"], [b"fail 2", b"fail 4"]]
    assert sent.counts == {"accepted": 3, "refused": 1}
    assert sent.refusals[0][0] == 3


def test_a_gateway_that_restarts_is_waited_for() -> None:
    def away(_: list[bytes]) -> httpx.Response:
        raise httpx.ConnectError("refused")

    gateway = Gateway(away, lambda _: httpx.Response(503, headers={"Retry-After": "2"}), judged)
    assert gateway.send(b"1").counts == {"accepted": 1}
    assert gateway.slept == [1.0, 2.0]


def test_a_gateway_that_stays_away_ends_with_what_to_do() -> None:
    def away(_: list[bytes]) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(PartError, match="1 events were not stored"):
        Gateway(away).send(b"1")


def test_an_answer_that_is_no_verdict_is_told() -> None:
    with pytest.raises(PartError, match="answers 403: no such scope"):
        Gateway(lambda _: httpx.Response(403, json={"detail": "no such scope"})).send(b"1")


def test_made_up_events_fit_and_each_has_an_id_and_a_varied_key() -> None:
    topic = DOCUMENT.topics[0].model_copy(update={"id_field": "id"})
    stream = example_events(topic, lambda: 1_795_300_000.0)
    events = [json.loads(next(stream)) for _ in range(50)]
    assert len({event["id"] for event in events}) == 50
    assert len({event["user"] for event in events}) > 10
    assert form_schema(topic)["required"] == ["id", "user"]
