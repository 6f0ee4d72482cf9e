"""Fixture files are read whole: cases with everything that they say, or every mistake with its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headrace.core.pipeline import Pipeline
from headrace.core.problems import Problem
from headrace.testing.cases import Case, Event, ExpectedLetter, ExpectedRows
from headrace.testing.fixtures import find_files, parse_fixtures

FILE = Path("tests/orders.yaml")


def read(text: str, *pipelines: Pipeline) -> list[Case] | list[Problem]:
    return parse_fixtures(text, FILE, pipelines, "orders.yaml")


def case(text: str, pipeline: Pipeline) -> Case:
    (found,) = read(text, pipeline)
    assert isinstance(found, Case), found
    return found


def mistakes(text: str, *pipelines: Pipeline) -> list[str]:
    found: list[Any] = read(text, *pipelines)
    assert all(isinstance(problem, Problem) for problem in found), found
    return [str(problem) for problem in found]


def test_events_are_values_or_say_more(shop: Pipeline) -> None:
    found = case(
        """\
cases:
  - name: all forms
    given:
      orders:
        - {order_id: o1, customer: ann, at: 2026-11-22T10:00:00Z}
        - $raw: "{"
        - $base64: AAE=
        - {$key: ann, $value: null}
        - {$value: {order_id: o2}, $time: 2026-11-22T10:00:01Z, $headers: {trace: abc}}
    expect: {}
""",
        shop,
    )
    assert found.given["orders"] == (
        Event({"order_id": "o1", "customer": "ann", "at": "2026-11-22T10:00:00Z"}),
        Event(raw=b"{"),
        Event(raw=b"\x00\x01"),
        Event(key=b"ann"),
        Event({"order_id": "o2"}, time_ms=1_795_341_601_000, headers=(("trace", b"abc"),)),
    )


def test_rows_are_exact_in_any_order_unless_said(shop: Pipeline) -> None:
    found = case(
        """\
cases:
  - name: rows
    given: {orders: []}
    expect:
      big: [{customer: ann}]
      customers: {match: Subset, order: AsGiven, fields: All, rows: [{customer: ann, orders: 1}]}
""",
        shop,
    )
    assert found.expect == {
        "big": ExpectedRows(({"customer": "ann"},)),
        "customers": ExpectedRows(({"customer": "ann", "orders": 1},), exact=False, ordered=True, all_fields=True),
    }
    assert found.letters == ()
    assert found.jobs == ("big", "customers")


def test_dead_letters_are_told_by_what_is_known_of_them(shop: Pipeline) -> None:
    found = case(
        """\
cases:
  - name: letters
    given: {orders: []}
    expect:
      deadLetters:
        - {reason: Late, job: big, id: o9}
        - {reason: Malformed, topic: orders, raw: "{", error: not JSON}
""",
        shop,
    )
    assert found.letters == (
        ExpectedLetter("Late", job="big", id="o9"),
        ExpectedLetter("Malformed", topic="orders", raw="{", error="not JSON"),
    )
    assert found.jobs == ("big",)  # the one that is named; nothing asks for what it feeds


def test_dead_letters_may_be_left_uncompared(shop: Pipeline) -> None:
    assert case("cases: [{name: a, given: {orders: []}, expect: {deadLetters: Any}}]", shop).letters is None


def test_every_mistake_is_told_with_its_line_and_the_nearest_name(shop: Pipeline) -> None:
    text = """\
cases:
  - name: a
    given:
      order: [{order_id: o1}]
      orders:
        - {$raw: "{", $value: {}}
        - {$time: noon, $raw: x}
    expect:
      bigg: []
      orders: []
      customers:
        - {custommer: ann}
      deadLetters:
        - {reason: Lost}
        - {reason: Late, job: bigger}
  - name: a
    given: {orders: []}
    expect: {}
    jobs: [biig]
"""
    told = "\n".join(mistakes(text, shop))
    for part in (
        "orders.yaml:4:7: cases[0].given.order: 'order' is no topic of this pipeline (did you mean 'orders'?)",
        "orders.yaml:6:11: cases[0].given.orders[0]: needs one of $value, $raw and $base64",
        "cases[0].given.orders[1].$time: is not an RFC 3339 date-time with an offset",
        "did you mean 'big'?",
        "cases[0].expect.orders: 'orders' is written by no job (jobs write: big, customers)",
        "orders.yaml:12:12: cases[0].expect.customers[0].custommer: customers has no field 'custommer'",
        "must be one of 'Malformed' or 'Late', not 'Lost'",
        "cases[0].expect.deadLetters[1].job: 'bigger' is no job of this pipeline",
        "cases[1].name: 'a' is the name of an earlier case, too",
        "cases[1].jobs[0]: 'biig' is no job of this pipeline (did you mean 'big'?)",
    ):
        assert part in told


def test_a_case_that_would_run_nothing_is_a_mistake(shop: Pipeline) -> None:
    (told,) = mistakes("cases: [{name: a, given: {customers: []}, expect: {}}]", shop)
    assert "no job reads what is given" in told


def test_a_manifest_with_several_pipelines_wants_to_know_which(shop: Pipeline) -> None:
    from dataclasses import replace

    other = replace(shop, name="store")
    body = "cases: [{name: a, given: {orders: []}, expect: {big: []}}]"
    (told,) = mistakes(body, shop, other)
    assert "pipeline: is required" in told
    (told,) = mistakes(f"pipeline: shopp\n{body}", shop, other)
    assert "did you mean 'shop'?" in told
    (found,) = read(f"pipeline: store\n{body}", shop, other)
    assert isinstance(found, Case)
    assert found.pipeline == "store"


def test_what_is_no_yaml_is_one_line() -> None:
    (told,) = mistakes("cases: [")
    assert told.startswith("orders.yaml:")


def test_files_stand_beside_the_manifest(tmp_path: Path) -> None:
    folder = tmp_path / "tests"
    folder.mkdir()
    for name in ("b.yaml", "a.yml", "notes.txt"):
        (folder / name).touch()
    assert [file.name for file in find_files(tmp_path / "pipeline.yaml")] == ["a.yml", "b.yaml"]
