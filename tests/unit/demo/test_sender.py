"""The sender keeps order and ids across outages, and writes down what it does before and after it does it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from headrace_apps.demo.api import Away, Unexpected
from headrace_apps.demo.ledger import Answer, Kind, LedgerWriter, Outcome, Sent, read_ledger
from headrace_apps.demo.sender import Aborted, OrderedSender, Tally

ACCEPTED = Answer(Outcome.ACCEPTED, 0, 0)
REFUSED = Answer(Outcome.REFUSED)


def click(identity: str, kind: Kind = Kind.CLICK) -> Sent:
    event = {"event_id": identity, "page": "/", "occurred_at": "2026-11-22T19:01:03.000Z"}
    return Sent(identity, kind, event)


class ScriptedApi:
    """Gives its answers in turn; an exception is raised. `calls` holds the ids of each request."""

    def __init__(self, *answers: list[Answer | None] | Exception) -> None:
        self.answers = list(answers)
        self.calls: list[list[str]] = []
        self.before: Callable[[], object] = list

    def send(self, events: Sequence[object]) -> list[Answer | None]:
        self.before()
        self.calls.append([event["event_id"] for event in events if isinstance(event, dict)])
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Desk:
    """A sender with its ledger and tally."""

    def __init__(self, api: ScriptedApi, path: Path) -> None:
        self.tally = Tally()
        self.abort = threading.Event()
        self.path = path
        self.sender = OrderedSender(api, LedgerWriter(path), self.tally, abort=self.abort)

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


def test_the_tally_counts_ids_once_and_the_windows_of_what_is_in_time(tmp_path: Path) -> None:
    batch = [click("a"), click("a", Kind.DUPLICATE), click("l", Kind.LATE), click("c", Kind.CLOSING)]
    desk = Desk(ScriptedApi([ACCEPTED] * 4), tmp_path / "ledger")
    desk.sender.send(batch)
    tally = desk.tally
    assert (tally.accepted_events, tally.accepted_ids, tally.repeated, tally.late) == (4, 3, 1, 1)
    assert tally.windows == {("/", 1_795_374_060_000)}
