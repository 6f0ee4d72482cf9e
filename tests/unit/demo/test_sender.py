"""The sender keeps order and ids across outages, and writes down what it does before and after it does it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from headrace_apps.demo.api import Away, Unexpected
from headrace_apps.demo.ledger import Answer, Kind, LedgerWriter, Outcome, Route, Sent, read_ledger
from headrace_apps.demo.sender import Aborted, OrderedSender, Sends, Tally

ACCEPTED = Answer(Outcome.ACCEPTED, 0, 0)
REFUSED = Answer(Outcome.REFUSED)


def click(identity: str, kind: Kind = Kind.EVENT) -> Sent:
    event = {"event_id": identity, "page": "/", "occurred_at": "2026-11-22T19:01:03.000Z"}
    return Sent(identity, kind, "clicks", event)


class ScriptedApi:
    """Gives its answers in turn; an exception is raised. `calls` holds the ids of each request."""

    def __init__(self, *answers: list[Answer | None] | Exception) -> None:
        self.answers = list(answers)
        self.calls: list[list[str]] = []
        self.before: Callable[[], object] = list

    def send(self, topic: str, batch: Sequence[Sent]) -> list[Answer | None]:
        self.before()
        assert {sent.topic for sent in batch} == {topic}
        self.calls.append([sent.id for sent in batch])
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Desk:
    """A sender with its ledger and tally."""

    def __init__(self, api: ScriptedApi, path: Path, external: ScriptedApi | None = None) -> None:
        self.tally = Tally()
        self.abort = threading.Event()
        self.path = path
        routes: dict[Route, Sends] = {Route.GATEWAY: api, Route.KAFKA: external or api}
        self.sender = OrderedSender(routes, LedgerWriter(path), self.tally, abort=self.abort)

    def outcomes(self) -> list[tuple[str, Outcome]]:
        return [(entry.sent.id, entry.answer.outcome) for entry in read_ledger(self.path)]


def test_a_batch_is_sent_again_with_the_same_ids_until_it_is_answered(tmp_path: Path) -> None:
    api = ScriptedApi(Away("gone"), Away("gone"), [ACCEPTED, ACCEPTED])
    desk = Desk(api, tmp_path / "ledger")
    desk.sender.send([click("a"), click("b")])
    assert api.calls == [["a", "b"]] * 3
    assert desk.outcomes() == [("a", Outcome.ACCEPTED), ("b", Outcome.ACCEPTED)]
    assert desk.tally.retries == 2
    assert desk.tally.away is None


def test_only_what_failed_of_a_batch_is_sent_again(tmp_path: Path) -> None:
    api = ScriptedApi([ACCEPTED, None, REFUSED, None], [None, ACCEPTED], [ACCEPTED])
    desk = Desk(api, tmp_path / "ledger")
    desk.sender.send([click("a"), click("b"), click("c", Kind.INVALID), click("d")])
    assert api.calls == [["a", "b", "c", "d"], ["b", "d"], ["b"]]
    assert dict(desk.outcomes()) == {
        "a": Outcome.ACCEPTED,
        "b": Outcome.ACCEPTED,
        "c": Outcome.REFUSED,
        "d": Outcome.ACCEPTED,
    }


def test_a_batch_is_in_the_ledger_before_it_is_sent(tmp_path: Path) -> None:
    api = ScriptedApi([ACCEPTED])
    desk = Desk(api, tmp_path / "ledger")
    seen: list[tuple[str, Outcome]] = []
    api.before = lambda: seen.extend(desk.outcomes())
    desk.sender.send([click("a")])
    assert seen == [("a", Outcome.UNKNOWN)]


def test_giving_up_leaves_the_batch_without_an_answer(tmp_path: Path) -> None:
    desk = Desk(ScriptedApi(Away("gone")), tmp_path / "ledger")
    desk.abort.set()
    with pytest.raises(Aborted):
        desk.sender.send([click("a")])
    assert desk.outcomes() == [("a", Outcome.UNKNOWN)]


def test_an_answer_that_a_retry_cannot_change_ends_the_run(tmp_path: Path) -> None:
    desk = Desk(ScriptedApi(Unexpected("401")), tmp_path / "ledger")
    with pytest.raises(Unexpected):
        desk.sender.send([click("a")])


def test_the_tally_counts_ids_once(tmp_path: Path) -> None:
    batch = [click("a"), click("a", Kind.DUPLICATE), click("l", Kind.LATE), click("c", Kind.CLOSING)]
    desk = Desk(ScriptedApi([ACCEPTED] * 4), tmp_path / "ledger")
    desk.sender.send(batch)
    tally = desk.tally
    assert (tally.accepted_events, tally.accepted_ids, tally.repeated, tally.late) == (4, 3, 1, 1)


def test_a_batch_of_two_routes_goes_one_after_the_other_in_its_order(tmp_path: Path) -> None:
    gateway, external = ScriptedApi([ACCEPTED], [ACCEPTED]), ScriptedApi([ACCEPTED])
    desk = Desk(gateway, tmp_path / "ledger", external)
    external.before = lambda: gateway.calls.append(["then the outside producer"])
    peer = replace(click("b"), route=Route.KAFKA)
    answers = desk.sender.send([click("a"), peer, click("c")])
    assert answers == [ACCEPTED] * 3
    assert gateway.calls == [["a"], ["then the outside producer"], ["c"]]
    assert external.calls == [["b"]]
    assert [identity for identity, _ in desk.outcomes()] == ["a", "b", "c"]
    assert desk.tally.peers == 1


def test_references_are_no_events(tmp_path: Path) -> None:
    desk = Desk(ScriptedApi([ACCEPTED, ACCEPTED]), tmp_path / "ledger")
    desk.sender.send([click("account", Kind.REFERENCE), click("payment")])
    assert (desk.tally.references, desk.tally.accepted_events, desk.tally.accepted_ids) == (1, 1, 1)
