"""When is an event late for a job: read off the window functions of its SQL.

An event is late when the last window that would take it has closed; Flink's own window operators would then drop it
without a word. So the plan tells the job's source the same window, and the source diverts what they would drop
(docs/reference/contracts.md, "Outcomes in a job"). Window definitions: Flink SQL, "Windowing table-valued functions".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from headrace.core.sql.tokens import SqlError, Token, TokenKind

_UNITS_MS = {"SECOND": 1_000, "MINUTE": 60_000, "HOUR": 3_600_000, "DAY": 86_400_000}
# Positional arguments after the table and the descriptor, in Flink's order.
_ARGUMENTS = {
    "TUMBLE": ("SIZE", "OFFSET"),
    "HOP": ("SLIDE", "SIZE", "OFFSET"),
    "CUMULATE": ("STEP", "SIZE", "OFFSET"),
    "SESSION": ("GAP",),
}


@dataclass(frozen=True, slots=True)
class Lateness:
    """`window`: by the last window that takes the row; `row`: by the row's own time; `none`: never. Sizes in ms.
    `partition`: the fields whose values each have sessions of their own."""

    rule: Literal["none", "row", "window"]
    kind: Literal["tumble", "hop", "cumulate", "session"] | None = None
    size_ms: int = 0
    slide_ms: int = 0
    offset_ms: int = 0
    partition: tuple[str, ...] = ()


NEVER = Lateness("none")
BY_ROW = Lateness("row")


@dataclass(frozen=True, slots=True)
class _Window:
    table: str
    time_column: str
    lateness: Lateness
    line: int


def lateness_of(tokens: list[Token], event_times: Mapping[str, str | None]) -> dict[str, Lateness]:
    """When a row of each input is late. `event_times`: input → its event-time field, None without one.

    Raises SqlError for a window over an input without event time, for a window whose size is not a literal, and for
    two different windows over one input (whether an event is late would have two answers).
    """
    result = {name: BY_ROW if field and _orders_by(tokens, field) else NEVER for name, field in event_times.items()}
    seen: dict[str, Lateness] = {}
    for window in _windows(tokens):
        if window.table in event_times and event_times[window.table] != window.time_column:
            if event_times[window.table] is None:
                raise SqlError(
                    f"has a window over {window.table!r}, which has no eventTime",
                    window.line,
                    f"set eventTime: {{field: {window.time_column}}} on the topic",
                )
            raise SqlError(
                f"has a window by {window.time_column!r}; the event time of {window.table!r} is "
                f"{event_times[window.table]!r}",
                window.line,
            )
        # A window over a CTE is one over the inputs behind it, as long as it goes by their event time; by window_time
        # it follows a first window, which already decided. A time under another name could be either.
        if window.time_column != "window_time" and window.time_column not in event_times.values():
            raise SqlError(
                f"has a window by {window.time_column!r}, which is the event time of no input",
                window.line,
                "let the event time keep its name on the way to the window",
            )
        direct = window.table in event_times
        over = [window.table] if direct else list(event_times)
        # Behind a CTE rows may have been left out, and then a session that the source sees open, Flink may not have.
        lateness = window.lateness if direct else replace(window.lateness, partition=())
        for name in (n for n in over if event_times[n] == window.time_column):
            if seen.setdefault(name, lateness) != lateness:
                raise SqlError(
                    f"has two different windows over {name!r}: an event could be late for one and not the other",
                    window.line,
                    "write one job per window",
                )
            if result[name] is BY_ROW:
                raise SqlError(
                    f"has a window over {name!r} and another operation ordered by {window.time_column!r}: an event "
                    "could be late for one and not the other",
                    window.line,
                    "write one job for each",
                )
        result |= {name: seen[name] for name in over if name in seen}
    return result


def _windows(tokens: list[Token]) -> Iterator[_Window]:
    for index, token in enumerate(tokens[:-2]):
        if token.kind is TokenKind.WORD and token.upper in _ARGUMENTS and tokens[index + 1].upper == "(":
            yield _window(token, _arguments(tokens, index + 2))


def _window(name: Token, arguments: list[list[Token]]) -> _Window:
    values: dict[str, list[Token]] = {}
    order = ("DATA", "TIMECOL", *_ARGUMENTS[name.upper])
    for position, argument in enumerate(arguments):
        named = len(argument) > 2 and argument[1].upper == "=>"
        key = argument[0].upper if named else order[position] if position < len(order) else "?"
        values[key] = argument[2:] if named else argument
    data, time = values.get("DATA", []), values.get("TIMECOL", [])
    if len(data) < 2 or data[0].upper != "TABLE" or len(time) < 4 or time[0].upper != "DESCRIPTOR":
        raise SqlError(
            f"uses {name.text} in a way that Headrace cannot read",
            name.line,
            f"write FROM TABLE({name.upper}(TABLE input, DESCRIPTOR(event_time), INTERVAL '1' MINUTE, …))",
        )
    sizes = {key: _milliseconds(values[key], name) for key in _ARGUMENTS[name.upper] if key in values}
    size = sizes.get("SIZE", sizes.get("GAP", 0))
    if size <= 0:
        raise SqlError(f"gives {name.text} no size", name.line)
    kind = name.upper.lower()
    slide = sizes.get("SLIDE", sizes.get("STEP", 0))
    partition = _partition(data) if kind == "session" else ()
    lateness = Lateness("window", kind, size, slide, sizes.get("OFFSET", 0), partition)  # type: ignore[arg-type]
    return _Window(data[1].text, time[2].text, lateness, name.line)


def _partition(data: list[Token]) -> tuple[str, ...]:
    """The names of `TABLE input PARTITION BY a, b`, in parentheses or not."""
    if len(data) > 4 and (data[2].upper, data[3].upper) == ("PARTITION", "BY"):
        return tuple(token.text for token in data[4:] if token.is_name)
    return ()


def _arguments(tokens: list[Token], start: int) -> list[list[Token]]:
    """The arguments of a call whose ( stands before `start`, split at its own commas."""
    arguments: list[list[Token]] = [[]]
    depth = 0
    for index in range(start, len(tokens)):  # no slice: it would copy the rest of the statement for each call
        token = tokens[index]
        if token.upper == ")" and depth == 0:
            break
        depth += {"(": 1, ")": -1}.get(token.upper, 0)
        if token.upper == "," and depth == 0:
            arguments.append([])
        else:
            arguments[-1].append(token)
    return arguments


def _milliseconds(tokens: list[Token], name: Token) -> int:
    """`INTERVAL '10' SECOND`, also with a sign, a precision or a plural unit."""
    words = [token for token in tokens if token.upper not in ("-", "+")]
    sign = -1 if any(token.upper == "-" for token in tokens) else 1
    if len(words) >= 3 and words[0].upper == "INTERVAL" and words[1].kind is TokenKind.STRING:
        unit = words[2].upper.removesuffix("S")
        if unit in _UNITS_MS and "TO" not in [word.upper for word in words]:
            try:
                return sign * round(float(words[1].text) * _UNITS_MS[unit])
            except (ValueError, OverflowError):
                pass
    raise SqlError(
        f"gives {name.text} a size that is not a literal of days, hours, minutes or seconds",
        name.line,
        "write INTERVAL '10' SECOND",
    )


def _orders_by(tokens: list[Token], field: str) -> bool:
    """Whether an operation of the statement goes by the event time row by row, and so drops what is behind it.

    That is every ORDER BY with the event time in it (OVER, a named WINDOW, the statement's own), but for one within
    the windows of a window function (PARTITION BY window_start, …), which already decided.
    """
    words = [token.upper for token in tokens]
    groups = [_Group()]  # one per open parenthesis; one pass, because a statement may hold thousands
    for index, token in enumerate(tokens):
        if words[index] == "MATCH_RECOGNIZE" or words[index : index + 3] == ["FOR", "SYSTEM_TIME", "AS"]:
            return True
        group = groups[-1]
        if words[index] == "(":
            groups.append(_Group())
        elif words[index] == ")" and len(groups) > 1:
            if group.by_row:
                return True
            groups.pop()
            groups[-1].mention(group.mentions)
        elif words[index : index + 2] == ["ORDER", "BY"]:
            group.ordering = True
        elif token.is_name:
            group.windowed |= token.text == "window_start" and not group.ordering
            group.mention(token.text == field)
    return groups[0].by_row


@dataclass(slots=True)
class _Group:
    """What stands in one pair of parentheses: whether it orders, mentions the field, is within windows."""

    ordering: bool = False
    windowed: bool = False
    mentions: bool = False
    sorts: bool = False

    def mention(self, here: bool) -> None:
        self.mentions |= here
        self.sorts |= here and self.ordering

    @property
    def by_row(self) -> bool:
        return self.sorts and not self.windowed
