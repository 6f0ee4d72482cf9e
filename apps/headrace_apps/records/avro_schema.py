"""An Avro schema taken apart: types by name, and the form of each single type (docs/reference/contracts.md, "Avro").

fastavro parses it (full names, its own judgement of the fine print); here is only what reading and writing need of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import fastavro

from headrace_apps.records.decimals import decimal_text, fit_decimal, from_unscaled, parse_decimal, unscaled
from headrace_apps.records.forms import (
    BASE64,
    BOOLEAN,
    DOUBLE,
    FLOAT,
    INSTANT_SCHEMA,
    INT64,
    TEXT,
    Change,
    Form,
    InexactError,
    checked_instant,
    epoch_millis,
    instant_of,
    write_int32,
    write_int64,
)
from headrace_apps.records.instants import instant_text
from headrace_apps.records.json_check import fits_date
from headrace_apps.records.outcome import UnfitError
from headrace_apps.records.texts import (
    base64_text,
    date_of_days,
    days_of_date,
    local_of_units,
    parse_base64,
    time_of_units,
    units_of_local,
    units_of_time,
)

PER_SECOND = {"millis": 1_000, "micros": 1_000_000, "nanos": 1_000_000_000}
MAX_DECIMAL_BYTES = 64
"""A value's bytes bound its digits; far more than any column holds must not be worked out."""

Node = Any
Named = Mapping[str, Any]


class Schema(NamedTuple):
    """As fastavro parsed it: `root` with full names, `named` what they stand for."""

    root: Node
    named: Named


class Type(NamedTuple):
    """One type: its name (`long`, `record`, `union`), its logical type if it has a meaning, and its declaration."""

    name: str
    logical: str
    node: Node


def parse(definition: Any, references: Iterable[str] = ()) -> Schema:
    """Raises ValueError for what is no schema."""
    named: dict[str, Any] = {}
    try:
        for reference in references:
            fastavro.parse_schema(json.loads(reference), named)
        root = fastavro.parse_schema(definition, named)
    except Exception as error:
        raise ValueError(f"is no Avro schema: {error}") from None
    return Schema(root, named)


def type_of(node: Node, named: Named) -> Type:
    """What a node of a parsed schema is. Raises ValueError."""
    if isinstance(node, list):
        return Type("union", "", node)
    if isinstance(node, str):
        if node in named:
            return type_of(named[node], {})
        return Type(node, "", {"type": node})
    if isinstance(node, Mapping):
        if isinstance(node["type"], str) and node["type"] not in named:
            return Type(node["type"], _logical(node), node)
        return type_of(node["type"], named)
    raise ValueError(f"is no Avro schema: {str(node)[:80]}")


def _logical(node: Mapping[str, Any]) -> str:
    """The logical type, where it is one of this type's; another one is ignored, as the specification asks."""
    name, logical = node["type"], node.get("logicalType")
    match name, logical:
        case "long", str() if logical.partition("timestamp-")[0] in ("", "local-"):
            return logical if logical.rpartition("-")[2] in PER_SECOND else ""
        case ("long", "time-micros") | ("int", "time-millis" | "date"):
            return str(logical)
        case "bytes" | "fixed", "decimal":
            return "decimal" if isinstance(node.get("precision"), int) else ""
    return ""


def is_any(read: Type, named: Named) -> bool:
    return read.name == "union" and sum(type_of(branch, named).name != "null" for branch in read.node) > 1


def is_text(read: Type, named: Named) -> bool:
    """Whether the row holds the value as JSON text."""
    if read.name == "union":
        others = [type_of(branch, named) for branch in read.node]
        others = [branch for branch in others if branch.name != "null"]
        return len(others) != 1 or is_text(others[0], named)
    return read.name in ("record", "array", "map")


def with_epoch(form: Form, epoch: bool) -> Form:
    """A long that is the topic's event time is epoch milliseconds, which a table can hold."""
    return epoch_millis(form) if epoch and form.read is None else form


def change_of(form: Form, row: bool) -> Change | None:
    return (form.row or form.read) if row else form.read


def form_of(read: Type, logical: str | None = None, written: Type | None = None) -> Form:  # noqa: PLR0911
    """The form of a single type. `logical` and `written` are the writer's where they say the unit and the scale."""
    logical = read.logical if logical is None else logical
    match read.name:
        case "string":
            return TEXT
        case "boolean":
            return BOOLEAN
        case "float":
            return FLOAT
        case "double":
            return DOUBLE
        case "enum":
            return _enum(read.node["symbols"])
        case "bytes" | "fixed" if logical == "decimal":
            return _decimal(read, read if written is None or written.logical != "decimal" else written)
        case "fixed":
            return _fixed(read.node["size"])
        case "bytes":
            return BASE64
        case "int" | "long":
            return _whole(read.name, logical)
    raise ValueError(f"is a {read.name}, which stands for no value")


def _whole(name: str, logical: str) -> Form:
    if logical == "date":
        return Form(date_of_days, _write_date, {"type": "string", "format": "date"})
    unit = PER_SECOND.get(logical.rpartition("-")[2], 0)
    if logical.startswith("timestamp-"):
        return _instant(unit)
    if logical.startswith("local-"):
        return Form(
            lambda value: local_of_units(value, unit),
            lambda value: write_int64(units_of_local(value, unit)),
            {"type": "string", "examples": ["2026-11-22T10:15:30.5"]},
        )
    if logical.startswith("time-"):
        return Form(
            lambda value: time_of_units(value, unit),
            lambda value: units_of_time(value, unit),
            {"type": "string", "examples": ["10:15:30.5"]},
        )
    return INT64 if name == "long" else Form(None, write_int32, {"type": "integer", "format": "int32"})


def _instant(per_second: int) -> Form:
    per_milli = per_second // 1000

    def row(value: int) -> int:
        return checked_instant(value // per_milli)

    def write(value: Any) -> int:
        seconds, nanos = instant_of(value)
        # 64 bits of nanoseconds reach from 1677 to 2262 only.
        return int(write_int64(seconds * per_second + nanos * per_second // 1_000_000_000))

    return Form(lambda value: instant_text(row(value)), write, INSTANT_SCHEMA, row)


def _write_date(value: Any) -> int:
    if not fits_date(value):
        raise UnfitError("must be a date, as 2026-11-22")
    return days_of_date(value)


def _enum(symbols: list[str]) -> Form:
    known = frozenset(symbols)
    words = ", ".join(symbols) if len(symbols) <= 20 else f"{', '.join(symbols[:20])}, …"

    def write(value: Any) -> str:
        if type(value) is not str or value not in known:
            raise UnfitError(f"must be one of {words}")
        return value

    return Form(None, write, {"type": "string", "enum": list(symbols)})


def _fixed(size: int) -> Form:
    def write(value: Any) -> bytes:
        found = parse_base64(value)
        if len(found) != size:
            raise UnfitError(f"must be base64 of {size} bytes")
        return found

    schema = {"type": "string", "contentEncoding": "base64", "examples": [base64_text(bytes(size))]}
    return Form(base64_text, write, schema, BASE64.row)


def _decimal(read: Type, written: Type) -> Form:
    precision, scale = int(read.node["precision"]), int(read.node.get("scale", 0))
    written_scale = int(written.node.get("scale", 0))
    size = read.node["size"] if read.name == "fixed" else None

    def row(value: bytes) -> Any:
        if not 0 < len(value) <= MAX_DECIMAL_BYTES:
            raise UnfitError("is a decimal without digits" if not value else f"has more than {precision} digits")
        number = int.from_bytes(value, "big", signed=True)
        if written_scale == scale:
            return from_unscaled(number, precision, scale)
        return fit_decimal(from_unscaled(number, 10 * MAX_DECIMAL_BYTES, written_scale), precision, scale)

    def write(value: Any) -> bytes:
        if type(value) is float:
            raise InexactError("must be a decimal")
        number = unscaled(parse_decimal(value, precision, scale), scale)
        # A sign bit beyond the digits; 0 is one byte.
        least = (number if number >= 0 else ~number).bit_length() // 8 + 1
        if size is not None and least > size:
            raise UnfitError(f"does not fit {size} bytes")
        return number.to_bytes(size or least, "big", signed=True)

    example = f"{'1' if precision > scale else '0'}" + (f".{'5'.ljust(scale, '0')}" if scale else "")
    pattern = rf"^-?[0-9]{{1,{max(1, precision - scale)}}}" + (rf"(\.[0-9]{{1,{scale}}})?$" if scale else "$")
    schema = {"type": "string", "pattern": pattern, "examples": [example]}
    return Form(lambda value: decimal_text(row(value)), write, schema, row)
