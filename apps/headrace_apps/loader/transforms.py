"""What a sink does to single values on their way into the table: hash, mask, cast. Between `rows` and `staging`.

Select and rename are in the columns themselves (`field` and `name`). NULL stays NULL under every transform. A value
that a cast does not fit makes its record unloadable; it never becomes NULL.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Any

from headrace.core.columns import TIMESTAMP, Column, ColumnType, Kind
from headrace.core.documents import TableColumn, Transform
from headrace_apps.loader.rows import Refused, unloadable
from headrace_apps.records.decimals import decimal_text
from headrace_apps.records.instants import check_instant, instant_text, parse_date, parse_instant
from headrace_apps.records.json_rows import GREATEST_BIGINT, LEAST_BIGINT
from headrace_apps.records.strict_json import json_text, parse_strict
from headrace_apps.records.texts import base64_text

JSON_KINDS = frozenset({Kind.JSON, Kind.ARRAY, Kind.MAP, Kind.ROW})
Change = Callable[[Any], Any]


class Projection:
    """From a row's values to the table's, column by column."""

    def __init__(self, columns: Sequence[TableColumn], fields: Sequence[Column]) -> None:
        """Raises ValueError when a column has no field, or a cast that cannot be made."""
        # How a time was written does not matter any more: the row holds an instant.
        types = {f.name: TIMESTAMP if f.type.kind is Kind.EPOCH_MILLIS else f.type for f in fields}
        self._steps: list[tuple[str, str, Change | None]] = []
        for column in columns:
            if column.field not in types:
                raise ValueError(f"column {column.name}: the topic has no field {column.field!r}")
            change = _change(column.transform, types[column.field]) if column.transform else None
            self._steps.append((column.name, column.field, change))

    def apply(self, values: dict[str, Any]) -> tuple[Any, ...] | Refused:
        """The table's values in the order of its columns; fields that `values` lacks are NULL. Never raises."""
        result = []
        for name, field, change in self._steps:
            value = values.get(field)
            if value is not None and change is not None:
                try:
                    value = change(value)
                except ValueError as error:
                    return unloadable(f"column {name}: field {field} {error}")
            result.append(value)
        return tuple(result)


def text_of(kind: Kind, value: Any) -> str:
    """A value's text, as `hash`, `mask` and a cast to STRING see it: the JSON text, a string without its quotes."""
    match kind:
        case Kind.TIMESTAMP:
            return instant_text(value)
        case Kind.DECIMAL:
            return decimal_text(value)
        case Kind.BYTES:
            return base64_text(value)
        case Kind.BIGINT | Kind.DOUBLE | Kind.BOOLEAN:
            return json_text(value)
        case _:
            return str(value)


def _change(transform: Transform, source: ColumnType) -> Change:
    kind = source.kind
    match transform.kind:
        case "hash":
            return lambda value: hashlib.sha256(text_of(kind, value).encode()).hexdigest()
        case "mask":
            kept = transform.keep_last or 0
            return lambda value: mask(text_of(kind, value), kept)
        case "cast":
            if transform.to is None:
                raise ValueError("a cast without its target")
            return _cast(kind, transform.to.kind)


def mask(text: str, keep_last: int) -> str:
    """`*` for every character but the last `keep_last`; a text no longer than that is masked whole."""
    if len(text) <= keep_last:
        return "*" * len(text)
    return "*" * (len(text) - keep_last) + text[len(text) - keep_last :]


def _cast(source: Kind, target: Kind) -> Change:
    if source is target and source is not Kind.DECIMAL:
        return lambda value: value
    if target is Kind.STRING:
        return lambda value: text_of(source, value)
    if target is Kind.JSON:
        if source in JSON_KINDS:
            return lambda value: value
        return _json_of_text if source is Kind.STRING else lambda value: json_text(_plain(source, value))
    change = _CASTS.get((source, target))
    if change is None:
        raise ValueError(f"{source} cannot be cast to {target}")
    return change


def _plain(source: Kind, value: Any) -> Any:
    """The value as JSON holds it."""
    return text_of(source, value) if source in (Kind.TIMESTAMP, Kind.DECIMAL, Kind.BYTES) else value


def _json_of_text(value: str) -> str:
    return json_text(parse_strict(value.encode()))


def _bigint_of_text(value: str) -> int:
    try:
        number = Decimal(value.strip())
    except InvalidOperation:
        raise ValueError(f"cannot be cast to BIGINT: {_shown(value)}") from None
    # adjusted() bounds the work: 1e999999999 must not be written out.
    if not number.is_finite() or number.adjusted() > 18 or number != number.to_integral_value():
        raise ValueError(f"cannot be cast to BIGINT: {_shown(value)}")
    return _within_64_bits(int(number))


def _bigint_of_double(value: float) -> int:
    if not value.is_integer():
        raise ValueError("cannot be cast to BIGINT: it has a fraction")
    return _within_64_bits(int(Decimal(repr(value))))


def _within_64_bits(number: int) -> int:
    if not LEAST_BIGINT <= number <= GREATEST_BIGINT:
        raise ValueError("cannot be cast to BIGINT: it does not fit 64 bits")
    return number


def _double_of_text(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not isfinite(number):
        raise ValueError(f"cannot be cast to DOUBLE: {_shown(value)}")
    return number


def _boolean_of_text(value: str) -> bool:
    match value.strip().lower():
        case "true":
            return True
        case "false":
            return False
    raise ValueError(f"cannot be cast to BOOLEAN: {_shown(value)}")


def _shown(value: str) -> str:
    return json_text(value[:40])


_CASTS: dict[tuple[Kind, Kind], Change] = {
    (Kind.STRING, Kind.BIGINT): _bigint_of_text,
    (Kind.STRING, Kind.DOUBLE): _double_of_text,
    (Kind.STRING, Kind.BOOLEAN): _boolean_of_text,
    (Kind.STRING, Kind.TIMESTAMP): parse_instant,
    (Kind.STRING, Kind.DATE): parse_date,
    (Kind.BIGINT, Kind.DOUBLE): float,
    (Kind.BIGINT, Kind.BOOLEAN): bool,
    (Kind.BIGINT, Kind.TIMESTAMP): check_instant,
    (Kind.DOUBLE, Kind.BIGINT): _bigint_of_double,
    (Kind.BOOLEAN, Kind.BIGINT): int,
    (Kind.TIMESTAMP, Kind.BIGINT): int,
    (Kind.TIMESTAMP, Kind.DATE): lambda value: instant_text(value)[:10],
    (Kind.DATE, Kind.TIMESTAMP): lambda value: parse_instant(f"{value}T00:00:00Z"),
}
