"""The samples' arithmetic on cases that a person can work out."""

from __future__ import annotations

from headrace_apps.demo.check.expectation import Reference
from headrace_apps.demo.check.sessions import sessions_of
from headrace_apps.demo.check.values import plain
from headrace_apps.demo.samples.clickstream.expectation import page_views, sessions
from headrace_apps.demo.samples.iot.expectation import averages, silent, too_hot
from headrace_apps.demo.samples.transactions.expectation import accounts_of, as_stored, enriched_payment, fast_cards


def click(user: str, page: str, at: int) -> dict[str, object]:
    return {"user_id": user, "page": page, "occurred_at": at}


def test_a_session_goes_on_at_its_gap_and_ends_beyond_it() -> None:
    rows = [{"at": 25}, {"at": 0}, {"at": 10}, {"at": 21}]
    assert [(start, end, len(own)) for start, end, own in sessions_of(rows, "at", 10)] == [(0, 20, 2), (21, 35, 2)]
    assert list(sessions_of([], "at", 10)) == []


def test_page_views_are_counted_by_page_and_window() -> None:
    views = page_views([click("a", "/", 9_999), click("a", "/", 0), click("b", "/", 5), click("a", "/", 10_000)])
    assert {key: (row["views"], row["visitors"], row["window_end"]) for key, row in views.items()} == {
        ("/", 0): (3, 2, 10_000),
        ("/", 10_000): (1, 1, 20_000),
    }


def test_visits_are_counted_by_visitor() -> None:
    found = sessions([click("a", "/", 0), click("b", "/", 5), click("a", "/x", 10_000), click("a", "/", 20_001)])
    assert {key: (row["clicks"], row["pages"]) for key, row in found.items()} == {
        ("a", 0): (2, 2),
        ("a", 20_001): (1, 1),
        ("b", 5): (1, 1),
    }


def reading(at: int, celsius: float) -> dict[str, object]:
    return {"device_id": "d", "measured_at": at, "celsius": celsius}


def test_a_reading_is_in_four_sliding_windows() -> None:
    found = averages({"d": [reading(20_000, 10.0), reading(24_999, 20.0)]})
    assert [key[1] for key in found] == [20_000, 15_000, 10_000, 5_000]
    assert all((row["readings"], row["celsius"]) == (2, 15.0) for row in found.values())


def test_too_hot_is_told_once_per_rise_and_the_bound_itself_is_not() -> None:
    readings = [reading(4, 90.0), reading(1, 81.0), reading(3, 80.0), reading(2, 82.0), reading(5, 91.0)]
    assert list(too_hot({"d": readings})) == [("d", "TooHot", 1), ("d", "TooHot", 4)]


def test_silence_begins_with_the_last_reading() -> None:
    found = silent({"d": [reading(0, 1.0), reading(8_000, 1.0), reading(16_001, 1.0)]})
    assert list(found) == [("d", "Silent", 8_000), ("d", "Silent", 16_001)]


def test_a_payment_meets_the_account_as_it_was() -> None:
    rows = {10: {"owner": "A", "risk": 0}, 20: {"owner": "B", "risk": 7}, 30: None}
    accounts = accounts_of(Reference("accounts", "a", at, row) for at, row in reversed(rows.items()))
    payment = {"payment_id": "p", "account_id": "a", "amount": {"currency": "EUR", "cents": 1}}
    owners = {at: enriched_payment({**payment, "paid_at": at}, accounts).get("owner") for at in (9, 10, 19, 20, 30)}
    assert owners == {9: None, 10: "A", 19: "A", 20: "B", 30: None}
    assert enriched_payment({**payment, "paid_at": 10}, accounts)["risk"] == 0


def test_fast_cards_are_those_with_a_sixth_payment_in_a_minute() -> None:
    payments = [{"card": {"token": "c"}, "paid_at": at * 12_000} for at in range(7)]
    payments += [{"card": {"token": "slow"}, "paid_at": at * 12_001} for at in range(7)]
    found = fast_cards([*payments, {"transfer": {"iban": "DE1"}, "paid_at": 0}])
    assert {key: row["payments"] for key, row in found.items()} == {("c", 60_000): 6, ("c", 72_000): 6}


def test_the_gateway_fills_in_what_an_outside_producer_leaves_out() -> None:
    payment = {"account_id": "a"}
    assert as_stored(payment, by_gateway=True, segments={"a": "retail"}) == {
        "account_id": "a",
        "channel": "ONLINE",
        "segment": "retail",
    }
    assert as_stored(payment, by_gateway=False, segments={"a": "retail"}) == {"account_id": "a", "channel": "UNKNOWN"}
    assert as_stored(payment, by_gateway=True, segments={}) == {"account_id": "a", "channel": "ONLINE"}


def test_values_have_one_spelling_wherever_they_come_from() -> None:
    assert plain({"a": None, "b": {"c": None, "d": "2026-11-22T19:01:00Z"}, "e": '{"f": 1}', "g": "{", "h": [1]}) == {
        "b": {"d": 1_795_374_060_000},
        "e": {"f": 1},
        "g": "{",
        "h": [1],
    }
