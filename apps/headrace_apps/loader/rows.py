"""What one record means: a row, a tombstone, or a refusal with its reason. The first step of the loader's flow.

The Python statement of "Row semantics" in docs/reference/contracts.md; the Flink record format is the other one, and
both must agree. Nothing else in the loader decides what is a row.

    bytes → `RowDecoder.decode` → Row | Tombstone | Refused
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from typing import Any

from headrace.core.columns import Column, ColumnType, Kind
from headrace.core.dead_letter import Reason
from headrace_apps.loader.instants import check_instant, instant_text, parse_date, parse_instant
from headrace_apps.loader.strict_json import json_text, parse_strict


@dataclass(frozen=True, slots=True)
class Row:
    """A value per field: str, int, float, bool, or None where an optional field is absent or null.

    TIMESTAMP and EPOCH_MILLIS are epoch milliseconds, DATE its text; ARRAY, MAP, ROW and JSON are compact JSON text.
    """

    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A null value."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Not a row: why, for the dead letter."""

    reason: Reason
    error: str


Outcome = Row | Tombstone | Refused
Fit = Callable[[Any], Any]

TOMBSTONE = Tombstone()
LEAST_BIGINT, GREATEST_BIGINT = -(2**63), 2**63 - 1


class _UnfitError(ValueError):
    """`path` below the field, `problem` as "is …"."""

    def __init__(self, problem: str, path: str = "") -> None:
        super().__init__(problem)
        self.problem, self.path = problem, path


class RowDecoder:
    """Decodes the values of one topic."""

    def __init__(self, fields: Sequence[Column]) -> None:
        self._fields = [(f.name, f.required, _fit_top(f.type)) for f in fields]

    def decode(self, value: bytes | None) -> Outcome:
        """One outcome for one record's value. Never raises."""
        if value is None:
            return TOMBSTONE
        try:
            document = parse_strict(value)
        except ValueError as error:
            return _refused(f"the value {error}")
        if type(document) is not dict:
            return _refused(f"the value is {_name(document)}, not an object")
        values: dict[str, Any] = {}
        for name, required, fit in self._fields:
            found = document.get(name)
            if found is None:
                if required:
                    absent = "is null" if name in document else "is missing"
                    return _refused(f"field {name} is required and {absent}")
                values[name] = None
                continue
            try:
                values[name] = fit(found)
            except _UnfitError as error:
                return _refused(f"field {name}{error.path} {error.problem}")
        return Row(values)


def _refused(error: str) -> Refused:
    return Refused(Reason.UNLOADABLE, error)


def _fit_top(type_: ColumnType) -> Fit:
    """How a value of a top-level field becomes a value of the row."""
    match type_.kind:
        case Kind.TIMESTAMP:
            return _timestamp
        case Kind.EPOCH_MILLIS:
            return _epoch_millis
        case Kind.ARRAY | Kind.MAP | Kind.ROW | Kind.JSON:
            nested = _fit(type_)
            return lambda value: json_text(nested(value))
        case _:
            return _fit(type_)


def _fit(type_: ColumnType) -> Fit:
    """How a value fits its type, as JSON: a nested timestamp is normalised RFC 3339 text."""
    if type_.element is not None:
        return _array(_fit(type_.element))
    if type_.value is not None:
        return _map(_fit(type_.value))
    if type_.fields is not None:
        return _row([(f.name, f.required, _fit(f.type)) for f in type_.fields])
    return _SINGLE[type_.kind]


def _string(value: Any) -> str:
    if type(value) is not str:
        raise _wrong("a string", value)
    return value


def _boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise _wrong("true or false", value)
    return value


def _bigint(value: Any) -> int:
    """A number without fraction: `1.0` and `1e3` are such numbers, as in JSON Schema."""
    if type(value) is float and isfinite(value):
        # repr is the shortest text of the float, which is what came in.
        exact = Decimal(repr(value))
        if exact != exact.to_integral_value():
            raise _UnfitError("has a fraction, an integer was expected")
        value = int(exact)
    if type(value) is not int:
        raise _wrong("an integer", value)
    if not LEAST_BIGINT <= value <= GREATEST_BIGINT:
        raise _UnfitError("does not fit 64 bits")
    return value


def _double(value: Any) -> float:
    if type(value) is not float and type(value) is not int:
        raise _wrong("a number", value)
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    if not isfinite(number):
        raise _UnfitError("does not fit a double")
    return number


def _timestamp(value: Any) -> int:
    if type(value) is not str:
        raise _wrong("an RFC 3339 date-time", value)
    try:
        return parse_instant(value)
    except ValueError as error:
        raise _UnfitError(str(error)) from None


def _epoch_millis(value: Any) -> int:
    try:
        return check_instant(_bigint(value))
    except _UnfitError:
        raise
    except ValueError as error:
        raise _UnfitError(str(error)) from None


def _date(value: Any) -> str:
    if type(value) is not str:
        raise _wrong("a date as YYYY-MM-DD", value)
    try:
        return parse_date(value)
    except ValueError as error:
        raise _UnfitError(str(error)) from None


_SINGLE: dict[Kind, Fit] = {
    Kind.STRING: _string,
    Kind.BIGINT: _bigint,
    Kind.DOUBLE: _double,
    Kind.BOOLEAN: _boolean,
    Kind.TIMESTAMP: lambda value: instant_text(_timestamp(value)),
    Kind.EPOCH_MILLIS: lambda value: instant_text(_epoch_millis(value)),
    Kind.DATE: _date,
    Kind.JSON: lambda value: value,
}


def _array(fit: Fit) -> Fit:
    def fit_array(value: Any) -> list[Any]:
        if type(value) is not list:
            raise _wrong("an array", value)
        return [_at(f"[{index}]", fit, item) for index, item in enumerate(value)]

    return fit_array


def _map(fit: Fit) -> Fit:
    def fit_map(value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise _wrong("an object", value)
        return {key: _at(f".{key}", fit, item) for key, item in value.items()}

    return fit_map


def _row(fields: Sequence[tuple[str, bool, Fit]]) -> Fit:
    def fit_row(value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise _wrong("an object", value)
        fitted = {}
        for name, required, fit in fields:
            found = value.get(name)
            if found is not None:
                fitted[name] = _at(f".{name}", fit, found)
            elif required:
                raise _UnfitError("is required and is null or missing", f".{name}")
        return fitted

    return fit_row


def _at(step: str, fit: Fit, value: Any) -> Any:
    try:
        return fit(value)
    except _UnfitError as error:
        raise _UnfitError(error.problem, step + error.path) from None


def _wrong(expected: str, value: Any) -> _UnfitError:
    return _UnfitError(f"is {_name(value)}, {expected} was expected")


def _name(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case str():
            return "a string"
        case int() | float():
            return "a number"
        case list():
            return "an array"
        case _:
            return "an object"
