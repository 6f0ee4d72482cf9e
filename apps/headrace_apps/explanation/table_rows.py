"""Whether a record is a row of a sink's table, and how far the sink is: asked of Snowflake or its stand-in."""

# ruff: noqa: S608 - every name goes through `identifier`, every text through `literal`
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from headrace.core.documents import LoaderDocument
from headrace_apps.inspection.records import Record
from headrace_apps.loader.layout import LOADED_AT, OFFSET, PARTITION, TOPIC
from headrace_apps.loader.session import Session, SnowflakeSession
from headrace_apps.loader.statements import OFFSETS_TABLE, identifier, literal
from headrace_apps.runtime import OutageError, RefusedError, StopError


@dataclass(frozen=True, slots=True)
class TableStory:
    """`loaded_at` is the row's, None without a row; `next_offset` where the sink goes on, None when not known.

    `trouble` says why the table could not be asked.
    """

    sink: str
    table: str
    loaded_at: str | None
    next_offset: int | None
    trouble: str = ""


Connect = Callable[[LoaderDocument], Session]


def connect(document: LoaderDocument) -> Session:
    return SnowflakeSession(document.snowflake, document.table.database, "headrace-explain")


def fetch_row(document: LoaderDocument, record: Record, connect: Connect = connect) -> TableStory:
    """What the table says about one record; never raises for a Snowflake that is away."""
    schema = f"{identifier(document.table.database)}.{identifier(document.table.schema_)}"
    table = f"{schema}.{identifier(document.table.name)}"
    name = f"{document.table.schema_}.{document.table.name}"
    where = f"{identifier(TOPIC)} = {literal(record.topic)} AND {identifier(PARTITION)} = {record.partition}"
    row = f"SELECT {identifier(LOADED_AT)} FROM {table} WHERE {where} AND {identifier(OFFSET)} = {record.offset}"
    position = (
        f'SELECT "NEXT_OFFSET" FROM {schema}.{identifier(OFFSETS_TABLE)} WHERE "SINK" = {literal(document.group_id)} '
        f'AND "TOPIC" = {literal(record.topic)} AND "PARTITION" = {record.partition}'
    )
    try:
        session = connect(document)
        try:
            rows, positions = session.execute(row).rows, session.execute(position).rows
        finally:
            session.close()
    except (OutageError, RefusedError, StopError) as error:
        return TableStory(document.sink, name, None, None, str(error))
    loaded_at = str(rows[0][0]) if rows else None
    return TableStory(document.sink, name, loaded_at, int(positions[0][0]) if positions else None)
