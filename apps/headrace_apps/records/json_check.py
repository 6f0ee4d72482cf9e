"""Is a parsed event a row of its topic's columns? The gateway's narrow reading of "Row semantics" (contracts.md).

The schema alone lets through what a job calls malformed: integers beyond 64 bits, a leap second, year 0000. This check
is by columns, complete and independent of the schema, and where the contract leaves room it takes the narrow
side, so that whatever the gateway accepts is a row for every reader. Pure; compiled once per topic into closures.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from headrace.core.columns import Column, ColumnType, Kind

MIN_BIGINT, MAX_BIGINT = -(2**63), 2**63 - 1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MIN_MILLIS = int(datetime(1, 1, 1, tzinfo=UTC).timestamp()) * 1000
MAX_MILLIS = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()) * 1000 + 999

_DATE_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"
    r"(?:Z|[+-](?:(?:0[0-9]|1[0-7]):[0-5][0-9]|18:00))"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

Fits = Callable[[Any], bool]


def fits_string(value: Any) -> bool:
    return type(value) is str


def fits_bigint(value: Any) -> bool:
    """Within 64 bits. A float does not fit even when it is whole: it may have been rounded, and is parsed again."""
    return type(value) is int and MIN_BIGINT <= value <= MAX_BIGINT


def fits_double(value: Any) -> bool:
    kind = type(value)
    return kind is float or kind is int


def fits_boolean(value: Any) -> bool:
    return type(value) is bool


def fits_timestamp(value: Any) -> bool:
    """RFC 3339 with an offset to ±18:00, upper-case T and Z, no leap second, a year from 0001 to 9999 in UTC."""
    if type(value) is not str or _DATE_TIME.fullmatch(value) is None:
        return False
    try:
        moment = datetime.fromisoformat(value)
        if value.startswith(("0001-01-01", "9999-12-31")):
            moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return False
    return True


def fits_epoch_millis(value: Any) -> bool:
    """Within the years 0001 to 9999."""
    return type(value) is int and MIN_MILLIS <= value <= MAX_MILLIS


def fits_date(value: Any) -> bool:
    if type(value) is not str or _DATE.fullmatch(value) is None:
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


_LEAVES: dict[Kind, tuple[Fits, str]] = {
    Kind.STRING: (fits_string, "must be a string"),
    Kind.BIGINT: (fits_bigint, "must be a whole number within 64 bits"),
    Kind.DOUBLE: (fits_double, "must be a number"),
    Kind.BOOLEAN: (fits_boolean, "must be true or false"),
    Kind.TIMESTAMP: (
        fits_timestamp,
        "must be a date-time with an offset, as 2026-11-22T19:01:00.123Z, in the years 0001 to 9999",
    ),
    Kind.EPOCH_MILLIS: (fits_epoch_millis, "must be epoch milliseconds, in the years 0001 to 9999"),
    Kind.DATE: (fits_date, "must be a date, as 2026-11-22"),
}
_EXACT: dict[Kind, type] = {Kind.STRING: str, Kind.DOUBLE: float, Kind.BOOLEAN: bool}

Fault = tuple[tuple[str | int, ...], str]
"""Where (a path of names and indexes) and what."""


class RowCheck:
    """The columns of one topic, ready to check events against."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = tuple(columns)
        # A column's type where comparing it is the whole check: a call per string is half the cost of the row.
        self._checks = tuple(
            (c.name, c.required, _EXACT.get(c.type.kind), _check(c.type))
            for c in columns
            if c.required or c.type.kind is not Kind.JSON
        )

    def fits(self, event: dict[str, Any]) -> bool:
        """True when the event is a row."""
        get = event.get
        for name, required, exact, fits in self._checks:
            value = get(name)
            if type(value) is exact:
                continue
            if value is None:
                if required:
                    return False
            elif not fits(value):
                return False
        return True

    def faults(self, event: dict[str, Any]) -> Iterator[Fault]:
        """Each reason why the event is not a row, in the columns' order."""
        for column in self._columns:
            value = event.get(column.name)
            if value is None:
                if column.required:
                    yield (column.name,), "is required and may not be null"
            else:
                yield from _faults(column.type, value, (column.name,))


def _check(column_type: ColumnType) -> Fits:
    if column_type.kind in _LEAVES:
        return _LEAVES[column_type.kind][0]
    return lambda value: next(_faults(column_type, value, ()), None) is None


def _faults(  # noqa: PLR0912 - a branch per kind
    column_type: ColumnType, value: Any, path: tuple[str | int, ...]
) -> Iterator[Fault]:
    kind = column_type.kind
    if kind in _LEAVES:
        fits, message = _LEAVES[kind]
        if not fits(value):
            yield path, message
    elif kind is Kind.ARRAY and column_type.element is not None:
        if type(value) is not list:
            yield path, "must be an array"
            return
        for index, item in enumerate(value):
            yield from _faults(column_type.element, item, (*path, index))
    elif kind is Kind.MAP and column_type.value is not None:
        if type(value) is not dict:
            yield path, "must be an object"
            return
        for name, item in value.items():
            yield from _faults(column_type.value, item, (*path, name))
    elif kind is Kind.ROW:
        if type(value) is not dict:
            yield path, "must be an object"
            return
        for field in column_type.fields or ():
            item = value.get(field.name)
            if item is None:
                if field.required:
                    yield (*path, field.name), "is required and may not be null"
            else:
                yield from _faults(field.type, item, (*path, field.name))
    elif kind is not Kind.JSON:
        yield path, f"has the type {kind}, which this gateway does not know"


def canonical_timestamp(value: str | int) -> str:
    """A valid TIMESTAMP or EPOCH_MILLIS as keys hold it: UTC, `Z`, milliseconds without zeros at the end."""
    if isinstance(value, int):
        moment = EPOCH + timedelta(milliseconds=value)
    else:
        moment = datetime.fromisoformat(value).astimezone(UTC)
    text = moment.replace(tzinfo=None, microsecond=0).isoformat()
    millis = moment.microsecond // 1000
    return text + (f".{millis:03d}".rstrip("0") if millis else "") + "Z"
