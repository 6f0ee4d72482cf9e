"""Sinks: the table's name, and the columns that are left after the transforms."""

from __future__ import annotations

import re
from collections.abc import Mapping

from headrace.core.columns import STRING, TIMESTAMP, ColumnType, Kind, castable
from headrace.core.documents import Batch, TableColumn, Transform
from headrace.core.durations import parse_duration
from headrace.core.pipeline import Sink, Topic
from headrace.core.problems import Path
from headrace.core.validate.findings import Findings
from headrace.core.wire import pipeline as wire

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,254}")
_SCALARS = frozenset(
    {Kind.STRING, Kind.BIGINT, Kind.DOUBLE, Kind.BOOLEAN, Kind.TIMESTAMP, Kind.DATE, Kind.DECIMAL, Kind.BYTES}
)


def resolve(pipeline: wire.StreamPipeline, topics: Mapping[str, Topic], found: Findings) -> tuple[Sink, ...]:
    sinks: list[Sink] = []
    tables: dict[tuple[str | None, str, str], str] = {}
    for index, sink in enumerate(pipeline.spec.sinks):
        path: Path = ("spec", "sinks", index)
        known = found.has((*path, "topic"), sink.topic, topics, "declared topic")
        if sink.snowflake.method != "Loader":
            found.add((*path, "snowflake", "method"), "Connector is not available in this version", "use Loader")
        table = _table(sink.snowflake.table, (*path, "snowflake", "table"), found)
        if table in tables:
            found.add(
                (*path, "snowflake", "table"),
                f"is already the table of sink {tables[table]!r}",
                "one sink a table",
            )
        tables.setdefault(table, sink.name)
        interval = parse_duration(sink.snowflake.batch.interval)
        if not 100 <= interval <= 3_600_000:
            found.add((*path, "snowflake", "batch", "interval"), "must be between 100ms and 1h")
        columns = _columns(sink, topics[sink.topic], (*path, "snowflake", "transforms"), found) if known else ()
        batch = Batch(max_rows=sink.snowflake.batch.max_rows, max_ms=interval)
        sinks.append(Sink(sink.name, sink.topic, *table, columns, batch, sink.attempts))
    return tuple(sinks)


def _table(text: str, path: Path, found: Findings) -> tuple[str | None, str, str]:
    parts = text.split(".")
    if len(parts) not in (2, 3) or not all(_IDENTIFIER.fullmatch(part) for part in parts):
        found.add(path, "must be SCHEMA.TABLE or DATABASE.SCHEMA.TABLE", "letters, digits and _, like RAW.CLICKS")
        return None, "", text
    upper = [part.upper() for part in parts]
    return (upper[0] if len(upper) == 3 else None), upper[-2], upper[-1]


def _columns(sink: wire.Sink, topic: Topic, path: Path, found: Findings) -> tuple[TableColumn, ...]:
    """The table's columns: the row's, each under its present name, after every transform in turn."""
    columns = {
        column.name: TableColumn(
            name=column.name,
            field=column.name,
            # The table holds an instant, however the event wrote it.
            type=TIMESTAMP if column.type.kind is Kind.EPOCH_MILLIS else column.type,
            required=column.required,
        )
        for column in topic.schema.columns
    }
    if not columns:
        return ()
    for index, transform in enumerate(sink.snowflake.transforms):
        columns = _apply(transform, columns, (*path, index), found)
    named = [column.model_copy(update={"name": name.upper()}) for name, column in columns.items()]
    _check_result(named, columns, topic, path, found)
    return tuple(named)


def _apply(
    transform: wire.SinkTransform, columns: dict[str, TableColumn], path: Path, found: Findings
) -> dict[str, TableColumn]:
    given = transform.model_dump(exclude_none=True)
    if len(given) != 1:
        found.add(path, "needs exactly one of select, rename, cast, mask, hash")
        return columns
    if transform.select is not None:
        for index, name in enumerate(transform.select):
            found.has((*path, "select", index), name, columns, "column at this point")
        return {name: column for name, column in columns.items() if name in transform.select}
    kind = next(iter(given))
    field = transform.hash if transform.hash is not None else given[kind]["field"]
    here = (*path, kind) if kind == "hash" else (*path, kind, "field")
    if not found.has(here, field, columns, "column at this point"):
        return columns
    if transform.rename is not None:
        return {transform.rename.to if name == field else name: column for name, column in columns.items()}
    column = columns[field]
    if column.transform is not None:
        found.add(
            here,
            f"{field!r} is already changed by a {column.transform.kind}",
            "one cast, mask or hash a field",
        )
    if column.type.kind not in _SCALARS:
        found.add(here, f"{field!r} is {column.type.sql}; only a single value can be changed")
    result, change = _change(transform)
    if transform.cast is not None and not castable(column.type.kind, result.kind):
        found.add(here, f"{field!r} is {column.type.kind} and cannot be cast to {result.kind}")
    return columns | {field: column.model_copy(update={"type": result, "transform": change})}


def _change(transform: wire.SinkTransform) -> tuple[ColumnType, Transform]:
    if transform.cast is not None:
        to = ColumnType(kind=Kind(transform.cast.to))
        return to, Transform(kind="cast", to=to)
    if transform.mask is not None:
        return STRING, Transform(kind="mask", keep_last=transform.mask.keep_last)
    return STRING, Transform(kind="hash")


def _check_result(
    named: list[TableColumn], columns: Mapping[str, TableColumn], topic: Topic, path: Path, found: Findings
) -> None:
    names = [column.name for column in named]
    for name in sorted({name for name in names if names.count(name) > 1}):
        found.add(
            path,
            f"leaves two columns {name!r}: Snowflake's names do not tell upper from lower case",
            "rename one",
        )
    for name in columns:
        if not _IDENTIFIER.fullmatch(name) or name.upper() in METADATA_COLUMNS:
            found.add(path, f"leaves a column {name[:60]!r}, which cannot be one here", "rename it")
    # The loader recognises repeats by id, and the newest row by key, in the table: both must be there, unchanged.
    needed = set(topic.key_fields) if topic.compacted else ({topic.id.field} if topic.id else set())
    kept = {column.field for column in named if column.transform is None or column.transform.kind == "hash"}
    for field in sorted(needed - kept):
        found.add(path, f"drops or masks {field!r}, by which the loader recognises a row", "keep it, or hash it")


METADATA_COLUMNS = frozenset({"_TOPIC", "_PARTITION", "_OFFSET", "_EVENT_TIME", "_LOADED_AT"})
