"""What is a letter, what became of it, and how attempts are counted."""

from __future__ import annotations

import pytest

from headrace.core import dead_letter
from headrace.core.dead_letter import Origin, Reason, carried_attempt, envelope_headers, resent_headers
from headrace_apps.dead_letters.letter import Letter, Resolution, parse_letter

from .letters_made import WHEN, letter, record


def test_a_letter_tells_where_why_and_when() -> None:
    found = letter(b"broken", stage="job/count", reason=Reason.LATE, error="came too late", offset=7)
    assert (found.place, found.stage, found.reason, found.error) == ("0-7", "job/count", "Late", "came too late")
    assert (found.about, found.attempt, found.time) == ("shop.orders-2-41", 1, WHEN)


def test_the_gateways_letter_is_about_a_topic_alone() -> None:
    found = letter(stage="gateway")
    assert (found.about, found.partition, found.offset) == ("shop.orders", None, None)


def test_a_resolution_is_no_letter() -> None:
    headers = (
        (dead_letter.RESOLVES, b"0-7"),
        (dead_letter.RESOLUTION, b"redriven"),
        (dead_letter.TIME, dead_letter.rfc3339(WHEN).encode()),
        (dead_letter.SENT_TO, b"shop.orders-2-99"),
    )
    assert parse_letter(record(None, headers=headers)) == Resolution("0-7", "redriven", WHEN, "shop.orders-2-99")


@pytest.mark.parametrize("headers", [(), ((dead_letter.RESOLVES, b"0-7"), (dead_letter.RESOLUTION, b"eaten"))])
def test_what_is_neither_is_passed_over(headers: tuple[tuple[str, bytes | None], ...]) -> None:
    assert parse_letter(record(headers=headers)) is None


def test_a_damaged_envelope_is_still_a_letter() -> None:
    headers = ((dead_letter.STAGE, b"job/x"), (dead_letter.TIME, b"yesterday"), (dead_letter.OFFSET, "٣".encode()))
    found = parse_letter(record(headers=headers))
    assert isinstance(found, Letter)
    assert (found.time, found.offset, found.attempt, found.about) == (None, None, 1, "")


def test_a_record_that_is_sent_again_has_its_own_headers_and_says_which_attempt_it_is() -> None:
    found = letter(headers=[("trace", b"abc"), ("headrace.accepted", b"1")])
    assert resent_headers(found.record.headers, found.attempt, found.place) == [
        ("trace", b"abc"),
        ("headrace.accepted", b"1"),
        ("headrace.attempt", b"2"),
        ("headrace.redriven", b"0-0"),
    ]


def test_each_dead_letter_of_one_record_counts_on() -> None:
    headers: list[tuple[str, bytes | None]] = [("trace", b"abc")]
    for attempt in (1, 2, 3):
        envelope = envelope_headers(
            headers, stage="job/count", reason=Reason.LATE, error="late", origin=Origin("t", 0, attempt), time=WHEN
        )
        found = parse_letter(record(headers=tuple(envelope)))
        assert isinstance(found, Letter)
        assert found.attempt == attempt
        headers = resent_headers(found.record.headers, found.attempt, found.place)
    assert [name for name, _ in headers] == ["trace", "headrace.attempt", "headrace.redriven"]


@pytest.mark.parametrize("text", [b"", b"many", b"-3", b"\xff", None])
def test_an_attempt_that_is_none_counts_as_the_first(text: bytes | None) -> None:
    assert carried_attempt([(dead_letter.CARRIED_ATTEMPT, text)]) == 1
