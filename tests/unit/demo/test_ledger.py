"""The ledger holds what was sent and how it was answered, also when the writer dies in between."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace_apps.demo.ledger import Answer, Entry, Kind, LedgerError, LedgerWriter, Outcome, Route, Sent, read_ledger

CLICK = Sent("a", Kind.EVENT, "clicks", {"event_id": "a", "page": "/"})
PEER = Sent("p", Kind.EVENT, "clicks", {"event_id": "p"}, route=Route.KAFKA, at=5)
BYTES = Sent("m", Kind.MALFORMED, "clicks", raw=b"\xff\x00")
EMPTY = Sent("e", Kind.MALFORMED, "clicks", raw=b"")
TOMBSTONE = Sent("t", Kind.MALFORMED, "clicks", raw=None)
ACCEPTED = Answer(Outcome.ACCEPTED, 3, 17)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    sent = [CLICK, PEER, BYTES, EMPTY, TOMBSTONE]
    answers = [ACCEPTED, ACCEPTED, ACCEPTED, Answer(Outcome.REFUSED), ACCEPTED]
    with LedgerWriter(path) as ledger:
        ledger.record_answers(ledger.record_sent(sent), answers)
    assert read_ledger(path) == [Entry(s, a) for s, a in zip(sent, answers, strict=True)]


def test_a_batch_without_answers_is_unknown(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    with LedgerWriter(path) as ledger:
        ledger.record_sent([CLICK])
    assert [e.answer.outcome for e in read_ledger(path)] == [Outcome.UNKNOWN]


def test_every_call_is_on_disk_at_once(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    with LedgerWriter(path) as ledger:
        ledger.record_sent([CLICK])
        assert len(read_ledger(path)) == 1


def test_a_last_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    with LedgerWriter(path) as ledger:
        ledger.record_sent([CLICK])
        ledger.record_sent([BYTES])
    path.write_bytes(path.read_bytes()[:-5])
    assert [e.sent for e in read_ledger(path)] == [CLICK]


@pytest.mark.parametrize(
    "line", [b"no ledger\n", b"{}\n", b'{"batch":1,"sent":[{"id":"a","kind":"strange"}]}\n', b"[]\n"]
)
def test_another_file_is_no_ledger(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "other"
    path.write_bytes(line)
    with pytest.raises(LedgerError, match="line 1"):
        read_ledger(path)


def test_answers_must_be_as_many_as_events(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    with LedgerWriter(path) as ledger:
        ledger.record_answers(ledger.record_sent([CLICK, BYTES]), [ACCEPTED])
    with pytest.raises(LedgerError, match="2 events and 1 answers"):
        read_ledger(path)
