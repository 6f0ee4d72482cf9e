"""Results for a person (rich) and for a machine (JUnit XML): pure, text out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby
from typing import Any
from xml.etree import ElementTree

from rich.text import Text

from headrace.core.problems import shorten
from headrace.testing.compare import Difference
from headrace.testing.run import Result

VALUE_CHARS = 300


def render_result(result: Result) -> list[Text]:
    """One line for a case that passed; what differs, topic by topic, for one that did not."""
    mark, style = ("passed", "green") if result.passed else ("FAILED", "bold red")
    head = Text.assemble((mark, style), f"  {result.case.id}", (f"  {result.seconds:.1f} s", "dim"))
    if result.passed:
        return [head]
    lines: list[Text] = [head, Text(f"        {result.case.file}:{result.case.line}", style="dim")]
    if result.error:
        lines.append(Text(f"    {result.error}", style="red"))
    for where, differences in groupby(result.differences, key=lambda difference: difference.where):
        lines.append(Text(f"    {where}", style="bold"))
        lines += [line for difference in differences for line in _lines(difference)]
    return lines


def _lines(difference: Difference) -> list[Text]:
    note = f"   ({shorten(difference.note, VALUE_CHARS)})" if difference.note else ""
    if difference.expected is not None and difference.got is not None:
        changed = {change.field for change in difference.changes}
        like = {name: value for name, value in difference.expected.items() if name not in changed}
        lines = [Text(f"      ≠ {_text(like)}{note}")]
        for change in difference.changes:
            lines.append(Text(f"          - {change.field}: {_text(change.expected)}", style="red"))
            lines.append(Text(f"          + {change.field}: {_text(change.got)}", style="green"))
        return lines
    if difference.expected is not None:
        return [Text(f"      - {_text(difference.expected)}   did not come{note}", style="red")]
    return [Text(f"      + {_text(difference.got)}   came unexpected{note}", style="green")]


def _text(value: Any) -> str:
    return shorten(json.dumps(value, ensure_ascii=False), VALUE_CHARS)


def plain(result: Result) -> str:
    """The same without colours."""
    return "\n".join(map(str, render_result(result)))


def junit(results: Sequence[Result]) -> str:
    """JUnit XML: a suite per fixture file, a failure per case that differs, an error per case that could not run.

    The form that CI servers read (`testsuites/testsuite/testcase`, https://github.com/testmoapp/junitxml).
    """
    root = ElementTree.Element("testsuites", _counts(results))
    for file in dict.fromkeys(result.case.file for result in results):
        of_file = [result for result in results if result.case.file == file]
        suite = ElementTree.SubElement(root, "testsuite", {"name": file.stem, "file": str(file), **_counts(of_file)})
        for result in of_file:
            told = {"name": result.case.name, "classname": file.stem, "time": f"{result.seconds:.3f}"}
            case = ElementTree.SubElement(suite, "testcase", {**told, "line": str(result.case.line)})
            if not result.passed:
                kind = "error" if result.error else "failure"
                message = result.error or f"{len(result.differences)} differences"
                ElementTree.SubElement(case, kind, {"message": _printable(message)}).text = _printable(plain(result))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _counts(results: Sequence[Result]) -> dict[str, str]:
    return {
        "tests": str(len(results)),
        "failures": str(sum(bool(result.differences) and not result.error for result in results)),
        "errors": str(sum(bool(result.error) for result in results)),
        "time": f"{sum(result.seconds for result in results):.3f}",
    }


def _printable(text: str) -> str:
    """XML 1.0 has no control characters, not even escaped; an event's bytes may have some."""
    return "".join(sign if sign in "\n\t" or sign >= " " else "�" for sign in text if not 0xD800 <= ord(sign) <= 0xDFFF)
