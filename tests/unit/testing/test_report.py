"""What a person reads of a result, and the JUnit file."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from headrace.testing.cases import Case
from headrace.testing.compare import Changed, Difference
from headrace.testing.report import junit, plain
from headrace.testing.run import Result


def case(name: str, file: str = "tests/views.yaml") -> Case:
    return Case("shop", name, Path(file), 7, {}, {}, (), ("views",))


PASSED = Result(case("counts"), 1.25)
FAILED = Result(
    case("counts twice"),
    2.0,
    (
        Difference("views", {"page": "/", "n": 3}, {"page": "/", "n": 2}, (Changed("n", 2, 3),)),
        Difference("views", {"page": "/cart"}),
        Difference("dead letters", got={"reason": "Malformed", "raw": "\x00{"}, note="not JSON"),
    ),
)
BROKEN = Result(case("cannot run", "tests/other.yaml"), 0.5, error="Flink refuses job views: no")


def read(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text.encode())  # noqa: S314 - our own text


def test_a_difference_shows_what_was_expected_and_what_came() -> None:
    assert plain(FAILED).splitlines() == [
        "FAILED  views: counts twice  2.0 s",
        "        tests/views.yaml:7",
        "    views",
        '      ≠ {"page": "/"}',
        "          - n: 3",
        "          + n: 2",
        '      - {"page": "/cart"}   did not come',
        "    dead letters",
        '      + {"reason": "Malformed", "raw": "\\u0000{"}   came unexpected   (not JSON)',
    ]


def test_a_case_that_passed_is_one_line() -> None:
    assert plain(PASSED) == "passed  views: counts  1.2 s"


def test_the_junit_report_counts_and_names_everything() -> None:
    root = read(junit([PASSED, FAILED, BROKEN]))
    assert root.attrib == {"tests": "3", "failures": "1", "errors": "1", "time": "3.750"}
    views, other = root
    assert (views.attrib["name"], views.attrib["tests"], views.attrib["failures"]) == ("views", "2", "1")
    assert [one.attrib["name"] for one in views] == ["counts", "counts twice"]
    (failure,) = views[1]
    assert failure.tag == "failure"
    assert failure.attrib["message"] == "3 differences"
    assert "+ n: 2" in (failure.text or "")
    assert (other[0][0].tag, other[0][0].attrib["message"]) == ("error", "Flink refuses job views: no")


def test_bytes_that_xml_cannot_hold_do_not_break_the_report() -> None:
    told = junit([Result(case("odd"), 0.1, error="a\x00b\x1b\ud800c")])
    assert read(told)[0][0][0].attrib["message"] == "a�b�c"
