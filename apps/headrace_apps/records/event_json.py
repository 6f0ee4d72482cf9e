"""One event's text as the gateway takes it: narrower than `strict_json`, so that no reader refuses or misreads it.

It also refuses what is nested too deeply, and names and numbers longer than readers on the JVM take. Looking for
duplicate keys with a pair hook costs three times the parse. Instead the value is written again: the same bytes cannot
have held a key twice. Where the client writes JSON in another way (spaces, escapes), the members of the value are
counted and compared with the number of `":` in the text, which is exact when the text has no backslash and no space
before a colon; where the counts differ (a string that begins with a colon also counts) the slow parse decides.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import orjson

from headrace_apps.records.strict_json import twice_in

MAX_NUMBER_CHARS = 1_000
"""Jackson, which reads the record in a job, refuses longer numbers (StreamReadConstraints)."""
MAX_NAME_CHARS = 50_000
"""The same for names of members."""
MAX_INTEGER_DIGITS = 20
"""Enough for 64 bits."""

_RARE_SPACES = (b"\n", b"\t", b"\r")
_DIGITS = frozenset(b"0123456789")


class NotAnEvent(ValueError):  # noqa: N818 - it reads as what it says
    """The text is not one JSON object, or one that readers would disagree on. The message is for its sender."""


def parse_event(raw: bytes, max_depth: int) -> dict[str, Any]:
    """Parse UTF-8 JSON; raises NotAnEvent. Integers beyond 64 bits come as floats."""
    try:
        event = orjson.loads(raw)
    except orjson.JSONDecodeError as exc:
        raise NotAnEvent(f"not JSON: {exc}") from None
    if type(event) is not dict:
        raise NotAnEvent("not a JSON object")
    if orjson.dumps(event) == raw and raw.count(b"{") + raw.count(b"[") <= max_depth and len(raw) <= MAX_NAME_CHARS:
        return event  # written as a serialiser writes it: each key once, numbers short; most clients' events
    members = count_members(event, max_depth)
    if (
        raw.count(b'":') != members
        or b"\\" in raw
        or b" :" in raw
        or any(space in raw and space + b":" in raw for space in _RARE_SPACES)
        or (len(raw) > MAX_NUMBER_CHARS and _may_hold_long_number(raw))
    ):
        parse_slowly(raw)
    return event


def count_members(value: dict[str, Any] | list[Any], max_depth: int) -> int:
    """Members of all objects in `value`; raises NotAnEvent when it nests deeper than `max_depth`."""
    if max_depth == 0:
        raise NotAnEvent("nested too deeply")
    if type(value) is dict:
        members = len(value)
        children = value.values()
    else:
        members = 0
        children = value  # type: ignore[assignment]
    for child in children:
        kind = type(child)
        if kind is dict or kind is list:
            members += count_members(child, max_depth - 1)
    return members


def parse_slowly(raw: bytes) -> Any:
    """As JSON, with numbers exact: `1.0` and `1e3` are integers, as JSON Schema says. Raises NotAnEvent for a
    duplicate key, and for names and numbers longer than readers on the JVM take."""
    return json.loads(raw.decode(), object_pairs_hook=_bounded_unique, parse_int=_integer, parse_float=_whole_or_float)


def parse_exactly(raw: bytes) -> Any:
    """As `parse_slowly`, but a number with a fraction or an exponent comes as a Decimal: for what is stored in a type
    that is wider than a double."""
    return json.loads(raw.decode(), object_pairs_hook=_bounded_unique, parse_int=_integer, parse_float=_exact)


def _bounded_unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotAnEvent(f"the key {twice_in(pairs)[:80]!r} is there twice")
    if any(len(name) > MAX_NAME_CHARS for name in members):
        raise NotAnEvent(f"a key is longer than {MAX_NAME_CHARS} characters")
    return members


def _integer(text: str) -> int:
    return int(_bounded(text))


def _exact(text: str) -> Decimal:
    return Decimal(_bounded(text))


def _whole_or_float(text: str) -> int | float:
    exact = Decimal(_bounded(text))
    # The exponent bounds the work: 1e999999999 must not be written out.
    if exact.is_zero() or (exact.adjusted() <= MAX_INTEGER_DIGITS and exact == exact.to_integral_value()):
        return int(exact)
    return float(text)


def _bounded(text: str) -> str:
    if len(text) > MAX_NUMBER_CHARS:
        raise NotAnEvent(f"a number has more than {MAX_NUMBER_CHARS} characters")
    return text


def _may_hold_long_number(raw: bytes) -> bool:
    """False only when no number is longer than MAX_NUMBER_CHARS and no name longer than MAX_NAME_CHARS.

    A number has at most four characters that are not digits (sign, point, exponent, its sign), so of five neighbours
    one is a digit, and in more than 1,000 characters three neighbouring samples every 250 bytes find one.
    """
    if len(raw) > MAX_NAME_CHARS:
        return True
    run = 0
    for start in range(0, len(raw), MAX_NUMBER_CHARS // 4):
        if _DIGITS.isdisjoint(raw[start : start + 5]):
            run = 0
        else:
            run += 1
            if run == 3:
                return True
    return False
