"""What went wrong in Flink, in one or two lines for the person who wrote the SQL: last step of a failed `run`.

Flink answers with a Java trace of dozens of lines in which the cause comes last and the place in the SQL somewhere in
the middle. These functions are pure: trace in, words out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_CHARS = 600

_CLASS = re.compile(r"^(?:Caused by: )?(?P<name>(?:[a-z_][\w$]*\.)+[A-Z][\w$]*)(?:: ?(?P<message>.*))?$")
_FRAME = re.compile(r"^\s+(at |\.\.\. \d+ (more|common frames))|^\s*Suppressed: ")
_PLACE = re.compile(r"(?:[Ff]rom |[Aa]t )line (?P<line>\d+), column (?P<column>\d+)")
# What surrounds the cause without adding to it.
_WRAPPING = re.compile(r"^(SQL validation failed\.|SQL parse failed\.|Failed to execute sql|org\.apache\.flink\.)")
_PY4J = re.compile(r"^An error occurred while calling [^\n]*\n: ")
_ENCOUNTERED = re.compile(r'Encountered "(?P<word>[^"]*)" at line \d+, column \d+\.')
_NOISE = re.compile(r"^(?:(?:From|At) line \d+, column \d+(?: to line \d+, column \d+)?: )")


@dataclass(frozen=True, slots=True)
class Failure:
    """`line` and `column` are Flink's, counted from 1 in the statement; None where Flink names no place."""

    message: str
    line: int | None = None
    column: int | None = None


def describe_failure(trace: str) -> Failure:
    """The innermost cause that has words, and the place in the SQL when any cause names one."""
    causes = _causes(_PY4J.sub("", trace))
    worded = [text for _, text in causes if text and not _WRAPPING.match(text)]
    message = _told(worded) if worded else (causes[-1][0].rsplit(".", 1)[-1] if causes else "")
    place = next((match for _, text in reversed(causes) if (match := _PLACE.search(text))), None)
    return Failure(
        _shortened(_quoting_hint(_NOISE.sub("", message))) or "Flink gave no reason",
        int(place["line"]) if place else None,
        int(place["column"]) if place else None,
    )


def _told(worded: list[str]) -> str:
    """The innermost text; with the one around it where that says the same and more, or names the option."""
    inner = worded[-1]
    for outer in reversed(worded[:-1]):
        if outer.startswith("Could not parse value"):
            return f"{outer}\n{inner}"
        # Such as the address behind "Connection refused".
        if inner in outer and len(outer) < MAX_CHARS:
            inner = outer
    return inner


def _quoting_hint(message: str) -> str:
    """For a word where the parser wants none of that kind: what to do, in place of all it would have taken."""
    match = _ENCOUNTERED.match(message)
    if match is None:
        return message
    word = match["word"]
    if not word.replace("_", "").isalnum():
        return match[0]
    return f"{match[0]}\nIf `{word}` is meant as a name, write it in backticks: it is a word of Flink's SQL."


def _causes(trace: str) -> list[tuple[str, str]]:
    """(class, message) of each exception in the trace, outermost first."""
    causes: list[tuple[str, list[str]]] = []
    open_message = True
    for line in trace.splitlines():
        if _FRAME.match(line):
            open_message = False
        elif (match := _CLASS.match(line)) and (line.startswith("Caused by: ") or not causes):
            causes.append((match["name"], [match["message"] or ""]))
            open_message = True
        elif line.startswith("Caused by: "):
            causes.append((line.removeprefix("Caused by: "), [""]))
            open_message = True
        elif not causes:
            causes.append(("", [line]))
        elif open_message:
            causes[-1][1].append(line)
    return [(name, "\n".join(text).strip()) for name, text in causes]


def _shortened(message: str) -> str:
    """At most two lines: Flink's longer texts list every option or the whole statement after the point."""
    lines = [" ".join(line.split()) for line in message.splitlines() if line.strip()]
    text = "\n".join(lines[:2])
    return text if len(text) <= MAX_CHARS else text[: MAX_CHARS - 1] + "…"
