"""The options of a topic's record format in a job's tables (docs/reference/contracts.md, "The job document")."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import quote_plus

from headrace.core.columns import Column, ColumnType, Kind
from headrace.core.pipeline import Schema
from headrace.core.schema import canonical


def format_options(schema: Schema, subject: str, registry_url: str) -> dict[str, str]:
    """`value.format` and all that it needs to read and write this schema."""
    name = f"headrace-{schema.format.lower()}"
    options = {"registry": registry_url, "subject": subject, **_declaration(schema), **_paths_by_need(schema.columns)}
    return {"value.format": name} | {f"value.{name}.{key}": value for key, value in options.items()}


def _declaration(schema: Schema) -> dict[str, str]:
    if schema.message is not None:
        return {
            "definition": canonical(schema.definition),
            "descriptors": schema.message.descriptors,
            "message": schema.message.name,
            "message-indexes": ";".join(str(index) for index in schema.message.indexes),
        }
    return {"schema": canonical(schema.definition)} if schema.format == "Avro" else {}


def _paths_by_need(columns: Sequence[Column]) -> dict[str, str]:
    """What SQL types do not say: which fields must be there, hold any JSON, or are epoch milliseconds."""
    nested = list(_paths(columns, ""))
    listed = {
        "required": [path for path, required, _ in nested if required],
        "json": [path for path, _, kind in nested if kind is Kind.JSON],
        "epoch-millis": [path for path, _, kind in nested if kind is Kind.EPOCH_MILLIS],
    }
    return {name: ";".join(paths) for name, paths in listed.items() if paths}


def _paths(columns: Sequence[Column], parent: str) -> Iterator[tuple[str, bool, Kind]]:
    """Every field at any depth as the format spells it: percent-encoded names with / between, * for items."""
    for column in columns:
        path = parent + quote_plus(column.name)
        yield path, column.required, column.type.kind
        yield from _inside(column.type, path)


def _inside(type_: ColumnType, path: str) -> Iterator[tuple[str, bool, Kind]]:
    items = type_.element or type_.value
    if type_.fields is not None:
        yield from _paths(type_.fields, path + "/")
    elif items is not None:
        yield f"{path}/*", False, items.kind
        yield from _inside(items, f"{path}/*")
