"""YAML is read by 1.2's core schema, safely and within bounds; each refusal says where."""

from __future__ import annotations

import pytest

from headrace.core.manifest import MAX_BYTES, Document, parse_yaml
from headrace.core.problems import Problem


def value_of(text: str) -> object:
    (document,) = parse_yaml(text)
    assert isinstance(document, Document), document
    return document.value


def problem_of(text: str | bytes) -> Problem:
    (problem,) = parse_yaml(text)
    assert isinstance(problem, Problem), problem
    return problem


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("on", "on"), ("yes", "yes"), ("true", True), ("False", False), ("~", None), ("", None), ("null", None),
        ("0o17", 15), ("017", 17), ("0x1F", 31), ("-12", -12), ("1e3", 1000.0), (".5", 0.5), ("1:30", "1:30"),
        ("2026-11-22", "2026-11-22"), ("'6'", "6"), ('"true"', "true"), ("1_000", "1_000"), ("5s", "5s"),
    ],
)  # fmt: skip
def test_scalars_mean_what_yaml_1_2_says(scalar: str, value: object) -> None:
    assert value_of(f"a: {scalar}") == {"a": value}


def test_every_field_knows_its_line_and_column() -> None:
    (document,) = parse_yaml("spec:\n  topics:\n    - name: clicks\n")
    assert isinstance(document, Document)
    assert document.locate(("spec", "topics", 0, "name")) == (3, 7)
    assert document.locate(("spec", "topics", 0, "missing")) == (3, 7)


def test_anchors_are_values_used_twice() -> None:
    assert value_of("a: &x {k: 1}\nb: *x\n") == {"a": {"k": 1}, "b": {"k": 1}}


def test_documents_are_separate_and_empty_ones_are_skipped() -> None:
    assert [d.value for d in parse_yaml("a: 1\n---\n---\nb: 2\n") if isinstance(d, Document)] == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\na: 2\n", 2, "already set in line 1"),
        ("a: !!python/object/apply:os.system [ls]\n", 1, "tags are refused"),
        ("a: &x [*x]\n", 1, "contains itself"),
        ("a: *nothing\n", 1, "anchor"),
        ("a: {<<: {b: 1}}\n", 1, "merge keys"),
        ("? [a, b]\n: 1\n", 1, "not a plain string"),
        ("a: [1, 2\nb: 3\n", 2, "is not YAML"),
        ("a: 'open\n", 2, "is not YAML"),
        ("a:\n\t- b\n", 2, "is not YAML"),
        ("a: " + "9" * 5000, 1, "more than 100 digits"),
        ("[" * 100_000, 1, "levels deep"),
        ("a: " + "{b: " * 200 + "}" * 200, 1, "levels deep"),
    ],
)
def test_what_is_refused_says_where(text: str, line: int, message: str) -> None:
    problem = problem_of(text)
    assert problem.line == line
    assert message in problem.message


def test_an_alias_bomb_stops_at_the_budget() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert "aliases expanded" in problem_of("\n".join(lines)).message


def test_size_is_bounded() -> None:
    assert f"{MAX_BYTES:,}" in problem_of("a: " + "x" * MAX_BYTES).message


@pytest.mark.parametrize("text", [b"\xff\xfe\x00", b"a: \x80\x81", "a: \ud800", "a: \x00", b"\x1f\x8b\x08"])
def test_bytes_that_are_no_text_are_a_problem(text: str | bytes) -> None:
    assert problem_of(text).message.startswith("is not YAML")
