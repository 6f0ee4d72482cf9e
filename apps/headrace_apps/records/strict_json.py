"""JSON as readers take it, strictly: UTF-8, one value, no duplicate key, no NaN.

orjson is five times as fast as the standard library but lets the last of two equal keys win, and turns an integer
beyond 64 bits into a float. When its own serialisation of the value is the very bytes that came in, neither can have
happened; only other texts (spaces, escapes, `1e3`) take the slow path. The gateway's narrower door is `event_json`.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import orjson

EXACT_FLOAT = 2**53


def parse_strict(text: bytes) -> Any:
    """The JSON value in `text`. Raises ValueError, worded for the one line of a dead letter."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ValueError(_reason(text, error)) from None
    if orjson.dumps(value) == text:
        return value
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_float=_number)
    except RecursionError:
        raise ValueError("is nested too deeply") from None


def json_text(value: Any) -> str:
    """Compact JSON text."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # an integer beyond 64 bits
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError(f"has the key {json_text(twice_in(pairs))} twice")
    return found


def _number(text: str) -> float | int:
    """A float, or the exact integer where a float this large could no longer tell its neighbours apart."""
    number = float(text)
    if EXACT_FLOAT <= abs(number) < 2.0**64:
        exact = Decimal(text)
        if exact == exact.to_integral_value():
            return int(exact)
    return number


def _reason(text: bytes, error: orjson.JSONDecodeError) -> str:
    try:
        text.decode()
    except UnicodeDecodeError as broken:
        return f"is not UTF-8 (byte {broken.start})"
    return f"is not JSON: {error}"


def twice_in(pairs: list[tuple[str, Any]]) -> str:
    """The first key that comes a second time."""
    seen: set[str] = set()
    return next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
