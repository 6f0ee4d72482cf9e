"""Every SQL statement of the loader, rendered; nothing here talks to Snowflake. `sink` runs them in order.

Identifiers are always quoted and tables always fully qualified, so neither the session's database nor its rules for
upper case matter. The statements are Snowflake's; the stand-in must take them as they are.
"""

# ruff: noqa: S608 - every name goes through `identifier`, every text through `literal`
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from headrace.core.documents import Table
from headrace_apps.loader.layout import (
    EVENT_TIME,
    FOLDED,
    OFFSET,
    PARTITION,
    ROW,
    TOMBSTONE,
    Layout,
    TableColumn,
)
from headrace_apps.records.instants import FIRST_INSTANT, LAST_INSTANT, instant_text
from headrace_apps.runtime.progress import Span

BEGIN, COMMIT, ROLLBACK = "BEGIN TRANSACTION", "COMMIT", "ROLLBACK"
OFFSETS_TABLE = "_HEADRACE_OFFSETS"


def identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A string literal; Snowflake reads a backslash in one as an escape."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def parquet_name(index: int) -> str:
    """The Parquet column of the staging column at `index`: a plain name, whatever the column is called."""
    return f"c{index}"


class Statements:
    """The statements of one sink. `sink` and `topic` are its rows' key in the offsets table; `stage` is a name."""

    def __init__(self, table: Table, layout: Layout, sink: str, topic: str, stage: str) -> None:
        self._layout = layout
        self._schema = f"{identifier(table.database)}.{identifier(table.schema_)}"
        self.table = f"{self._schema}.{identifier(table.name)}"
        self.staging = f"{self._schema}.{identifier(layout.staging_name)}"
        self.offsets = f"{self._schema}.{identifier(OFFSETS_TABLE)}"
        self.stage = f"{self._schema}.{identifier(stage)}"
        self._ours = f'"SINK" = {literal(sink)} AND "TOPIC" = {literal(topic)}'
        self._sink, self._topic = sink, topic

    # What must exist: run outside of any transaction, since DDL commits.

    def create_schema(self) -> str:
        return f"CREATE SCHEMA IF NOT EXISTS {self._schema}"

    def create_offsets(self) -> str:
        return (
            f"CREATE TABLE IF NOT EXISTS {self.offsets} ("
            '"SINK" VARCHAR NOT NULL, "TOPIC" VARCHAR NOT NULL, "PARTITION" NUMBER(38,0) NOT NULL, '
            '"NEXT_OFFSET" NUMBER(38,0) NOT NULL, "TOPIC_ID" VARCHAR, "UPDATED_AT" TIMESTAMP_NTZ(3))'
        )

    def create_table(self) -> str:
        return f"CREATE TABLE IF NOT EXISTS {self.table} ({_declared(self._layout.table)})"

    def create_staging(self) -> str:
        """Transient: its rows live within one transaction, so nothing is worth a fail-safe copy."""
        return f"CREATE TRANSIENT TABLE IF NOT EXISTS {self.staging} ({_declared(self._layout.staging)})"

    def create_stage(self) -> str:
        """Temporary: Snowflake drops it, and any file a crash left in it, when the session ends."""
        return f"CREATE TEMPORARY STAGE IF NOT EXISTS {self.stage}"

    def describe_table(self) -> str:
        return f"DESCRIBE TABLE {self.table}"

    def add_column(self, column: TableColumn) -> str:
        """IF NOT EXISTS: another loader of the same table may be adding it too."""
        return f"ALTER TABLE {self.table} ADD COLUMN IF NOT EXISTS {_declared([column])}"

    def widen_column(self, column: TableColumn, declared: str) -> str:
        """Snowflake takes more digits before the point and longer text, without rewriting the table."""
        return f"ALTER TABLE {self.table} ALTER COLUMN {identifier(column.name)} SET DATA TYPE {declared}"

    # Positions.

    def select_positions(self) -> str:
        return (
            'SELECT "PARTITION", "NEXT_OFFSET", "TOPIC_ID", '
            f"{_epoch_ms('UPDATED_AT')} FROM {self.offsets} WHERE {self._ours}"
        )

    def register_positions(self, positions: Mapping[int, int], topic_id: str) -> str:
        """Rows for partitions that have none. MERGE, because concurrent INSERTs would not see each other."""
        values = ", ".join(f"({partition}, {offset})" for partition, offset in sorted(positions.items()))
        return (
            f"MERGE INTO {self.offsets} AS t "
            f'USING (SELECT column1 AS "PARTITION", column2 AS "NEXT_OFFSET" FROM VALUES {values}) AS s '
            f'ON t."SINK" = {literal(self._sink)} AND t."TOPIC" = {literal(self._topic)} '
            'AND t."PARTITION" = s."PARTITION" '
            'WHEN NOT MATCHED THEN INSERT ("SINK", "TOPIC", "PARTITION", "NEXT_OFFSET", "TOPIC_ID", "UPDATED_AT") '
            f'VALUES ({literal(self._sink)}, {literal(self._topic)}, s."PARTITION", s."NEXT_OFFSET", '
            f"{literal(topic_id)}, SYSDATE())"
        )

    def fence(self, spans: Mapping[int, Span]) -> str:
        """Advance each partition from where the batch starts to where it ends; as many rows as spans, or lose."""
        ordered = sorted(spans.items())
        ends = " ".join(f"WHEN {partition} THEN {span.end}" for partition, span in ordered)
        starts = " OR ".join(
            f'("PARTITION" = {partition} AND "NEXT_OFFSET" = {span.start})' for partition, span in ordered
        )
        return (
            f'UPDATE {self.offsets} SET "NEXT_OFFSET" = CASE "PARTITION" {ends} END, "UPDATED_AT" = SYSDATE() '
            f"WHERE {self._ours} AND ({starts})"
        )

    # Rows.

    def put(self, file: Path, folder: str) -> str:
        return (
            f"PUT {literal('file://' + file.as_posix())} @{self.stage}/{folder}/ "
            "AUTO_COMPRESS = FALSE SOURCE_COMPRESSION = NONE OVERWRITE = TRUE"
        )

    def copy(self, folder: str) -> str:
        """NULL_IF, because its default would load the text `\\N` as NULL: a Parquet file has NULLs of its own."""
        names = _names(self._layout.staging)
        reads = ", ".join(
            column.type.copied.format(parquet_name(index)) for index, column in enumerate(self._layout.staging)
        )
        return (
            f"COPY INTO {self.staging} ({names}) FROM (SELECT {reads} FROM @{self.stage}/{folder}/) "
            "FILE_FORMAT = (TYPE = PARQUET NULL_IF = ()) ON_ERROR = ABORT_STATEMENT"
        )

    def select_loaded_ids(self, window_ms: int, earliest: int, latest: int) -> str:
        """The numbers of staged rows whose id is in the table within the window.

        The range of event times (epoch ms) lets Snowflake skip all older micro-partitions of the table.
        """
        column = identifier(self._layout.id or "")
        first = _timestamp(max(earliest - window_ms, FIRST_INSTANT))
        last = _timestamp(min(latest + window_ms, LAST_INSTANT))
        return (
            f'SELECT DISTINCT s."{ROW}" '
            f"FROM {self.staging} AS s JOIN {self.table} AS t ON t.{column} = s.{column} "
            f'WHERE t."{EVENT_TIME}" BETWEEN {first} AND {last} AND '
            f'ABS(DATEDIFF(\'millisecond\', t."{EVENT_TIME}", s."{EVENT_TIME}")) <= {window_ms}'
        )

    def delete_staged(self, rows: Iterable[int]) -> str:
        return f'DELETE FROM {self.staging} WHERE "{ROW}" IN ({", ".join(map(str, rows))})'

    def insert(self) -> str:
        names = _names(self._layout.table)
        return f"INSERT INTO {self.table} ({names}) SELECT {names} FROM {self.staging}"

    def count_stale(self) -> str:
        """Records of staged keys that the table already has from a later offset of the same partition."""
        return (
            f'SELECT COALESCE(SUM(s."{FOLDED}"), 0) FROM {self.staging} AS s '
            f"JOIN {self.table} AS t ON {self._same_key()} WHERE {self._newer()}"
        )

    def delete_stale(self) -> str:
        return (
            f'DELETE FROM {self.staging} WHERE "{ROW}" IN (SELECT s."{ROW}" FROM {self.staging} AS s '
            f"JOIN {self.table} AS t ON {self._same_key()} WHERE {self._newer()})"
        )

    def count_staged(self) -> str:
        return f'SELECT COALESCE(SUM("{FOLDED}"), 0) FROM {self.staging}'

    def merge(self) -> str:
        columns = [identifier(column.name) for column in self._layout.table]
        updates = ", ".join(f"t.{column} = s.{column}" for column in columns)
        return (
            f"MERGE INTO {self.table} AS t USING {self.staging} AS s ON {self._same_key()} "
            f'WHEN MATCHED AND s."{TOMBSTONE}" THEN DELETE '
            f"WHEN MATCHED THEN UPDATE SET {updates} "
            f'WHEN NOT MATCHED AND NOT s."{TOMBSTONE}" '
            f"THEN INSERT ({', '.join(columns)}) VALUES ({', '.join(f's.{column}' for column in columns)})"
        )

    def clear_staging(self) -> str:
        """DELETE, not TRUNCATE, which would commit."""
        return f"DELETE FROM {self.staging}"

    def remove(self, folder: str) -> str:
        return f"REMOVE @{self.stage}/{folder}/"

    def _same_key(self) -> str:
        return " AND ".join(f"t.{identifier(key)} = s.{identifier(key)}" for key in self._layout.keys)

    def _newer(self) -> str:
        """Offsets order records of one partition only; a key moves when partitions are added."""
        return f't."{PARTITION}" = s."{PARTITION}" AND t."{OFFSET}" >= s."{OFFSET}"'


def _names(columns: Sequence[TableColumn]) -> str:
    return ", ".join(identifier(column.name) for column in columns)


def _declared(columns: Sequence[TableColumn]) -> str:
    return ", ".join(f"{identifier(column.name)} {column.type.declared}" for column in columns)


def _timestamp(instant: int) -> str:
    return literal(instant_text(instant).removesuffix("Z")) + "::TIMESTAMP_NTZ"


def _epoch_ms(column: str) -> str:
    return f"DATEDIFF('millisecond', '1970-01-01T00:00:00'::TIMESTAMP_NTZ, {identifier(column)})"
