"""A parsed JSON value into a row, by the columns: the wide reading of "Row semantics" (docs/reference/contracts.md).

The Flink record format is the other statement of it, and both must agree. `json_check` is the gateway's narrow one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from math import isfinite
from typing import Any

from headrace.core.columns import Column, ColumnType, Kind
from headrace_apps.records.decimals import decimal_text, parse_decimal
from headrace_apps.records.instants import check_instant, instant_text, parse_date, parse_instant
from headrace_apps.records.outcome import UnfitError
from headrace_apps.records.strict_json import json_text
from headrace_apps.records.texts import base64_text, parse_base64

Fit = Callable[[Any], Any]

LEAST_BIGINT, GREATEST_BIGINT = -(2**63), 2**63 - 1


class RowFitter:
    """Fits parsed objects into the columns of one topic."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = [(c.name, c.required, _fit_top(c.type)) for c in columns]

    def fit(self, document: Any) -> dict[str, Any]:
        """The row's values (see `outcome.Row`). Raises UnfitError at the first that does not fit."""
        if type(document) is not dict:
            raise UnfitError(f"the value is {_name(document)}, not an object")
        values: dict[str, Any] = {}
        for name, required, fit in self._columns:
            found = document.get(name)
            if found is None:
                if required:
                    raise UnfitError(f"is required and {'is null' if name in document else 'is missing'}", (name,))
                values[name] = None
                continue
            try:
                values[name] = fit(found)
            except UnfitError as error:
                raise error.below(name) from None
        return values


def _fit_top(type_: ColumnType) -> Fit:
    """How a value of a top-level field becomes a value of the row."""
    match type_.kind:
        case Kind.TIMESTAMP:
            return _timestamp
        case Kind.EPOCH_MILLIS:
            return _epoch_millis
        case Kind.DECIMAL:
            return lambda value: parse_decimal(value, type_.precision or 0, type_.scale or 0)
        case Kind.BYTES:
            return parse_base64
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
    if type_.kind is Kind.DECIMAL:
        return lambda value: decimal_text(parse_decimal(value, type_.precision or 0, type_.scale or 0))
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
            raise UnfitError("has a fraction, an integer was expected")
        value = int(exact)
    if type(value) is not int:
        raise _wrong("an integer", value)
    if not LEAST_BIGINT <= value <= GREATEST_BIGINT:
        raise UnfitError("does not fit 64 bits")
    return value


def _double(value: Any) -> float:
    if type(value) is not float and type(value) is not int:
        raise _wrong("a number", value)
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    if not isfinite(number):
        raise UnfitError("does not fit a double")
    return number


def _timestamp(value: Any) -> int:
    if type(value) is not str:
        raise _wrong("an RFC 3339 date-time", value)
    try:
        return parse_instant(value)
    except ValueError as error:
        raise UnfitError(str(error)) from None


def _epoch_millis(value: Any) -> int:
    try:
        return check_instant(_bigint(value))
    except UnfitError:
        raise
    except ValueError as error:
        raise UnfitError(str(error)) from None


def _date(value: Any) -> str:
    if type(value) is not str:
        raise _wrong("a date as YYYY-MM-DD", value)
    try:
        return parse_date(value)
    except ValueError as error:
        raise UnfitError(str(error)) from None


_SINGLE: dict[Kind, Fit] = {
    Kind.STRING: _string,
    Kind.BIGINT: _bigint,
    Kind.DOUBLE: _double,
    Kind.BOOLEAN: _boolean,
    Kind.TIMESTAMP: lambda value: instant_text(_timestamp(value)),
    Kind.EPOCH_MILLIS: lambda value: instant_text(_epoch_millis(value)),
    Kind.DATE: _date,
    Kind.BYTES: lambda value: base64_text(parse_base64(value)),
    Kind.JSON: lambda value: value,
}


def _array(fit: Fit) -> Fit:
    def fit_array(value: Any) -> list[Any]:
        if type(value) is not list:
            raise _wrong("an array", value)
        return [_at(index, fit, item) for index, item in enumerate(value)]

    return fit_array


def _map(fit: Fit) -> Fit:
    def fit_map(value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise _wrong("an object", value)
        return {key: _at(key, fit, item) for key, item in value.items()}

    return fit_map


def _row(fields: Sequence[tuple[str, bool, Fit]]) -> Fit:
    def fit_row(value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise _wrong("an object", value)
        fitted = {}
        for name, required, fit in fields:
            found = value.get(name)
            if found is not None:
                fitted[name] = _at(name, fit, found)
            elif required:
                raise UnfitError("is required and is null or missing", (name,))
        return fitted

    return fit_row


def _at(step: str | int, fit: Fit, value: Any) -> Any:
    try:
        return fit(value)
    except UnfitError as error:
        raise error.below(step) from None


def _wrong(expected: str, value: Any) -> UnfitError:
    return UnfitError(f"is {_name(value)}, {expected} was expected")


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
