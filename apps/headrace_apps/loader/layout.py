"""The table's columns and the staging table's: Snowflake type, Parquet type, and how COPY turns one into the other.

Pure; made once from the document. `statements` renders SQL from it, `staging` writes Parquet by it, `batches` fills
rows in its order.

| column type | table | in the Parquet file |
|---|---|---|
| STRING | VARCHAR | string |
| BIGINT | NUMBER(38,0) | int64 |
| DOUBLE | FLOAT | double |
| BOOLEAN | BOOLEAN | bool |
| TIMESTAMP | TIMESTAMP_NTZ(3), in UTC | int64, epoch milliseconds |
| DATE | DATE | string, `YYYY-MM-DD` |
| DECIMAL(p, s) | NUMBER(p,s) | decimal128(p, s) |
| BYTES | BINARY | string, hex |
| ARRAY, MAP, ROW, JSON | VARIANT | string, JSON text |

Times are TIMESTAMP_NTZ in UTC, not TIMESTAMP_LTZ: what a reader sees must not depend on the session's time zone.
They travel as integers, because how Snowflake reads Parquet's own timestamps depends on a file-format option; bytes
travel as hex for the same reason.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

import orjson
import pyarrow as pa

from headrace.core.columns import ColumnType, Kind
from headrace.core.documents import LoaderDocument, Transform

TOPIC, PARTITION, OFFSET = "_TOPIC", "_PARTITION", "_OFFSET"
EVENT_TIME, LOADED_AT = "_EVENT_TIME", "_LOADED_AT"
ROW, FOLDED, TOMBSTONE = "_ROW", "_FOLDED", "_TOMBSTONE"

METADATA = {
    TOPIC: Kind.STRING,
    PARTITION: Kind.BIGINT,
    OFFSET: Kind.BIGINT,
    EVENT_TIME: Kind.TIMESTAMP,
    LOADED_AT: Kind.TIMESTAMP,
}
"""In the table, after its own columns. `_EVENT_TIME` is the record's Kafka timestamp where the topic has no event
time, or the row has none."""

CONTROL = {ROW: Kind.BIGINT, FOLDED: Kind.BIGINT, TOMBSTONE: Kind.BOOLEAN}
"""In the staging table only: the row's number in its batch, how many records of one key it stands for, and whether
it deletes its key."""


@dataclass(frozen=True, slots=True)
class TypeMapping:
    """`declared` in CREATE TABLE; `family` is its name without sizes; `copied` reads one Parquet column `{}`;
    `staged` makes the Parquet value of the row's (None: they are the same)."""

    declared: str
    family: str
    parquet: pa.DataType
    copied: str
    staged: Callable[[Any], Any] | None = None
    as_text: TypeMapping | None = None
    """How it is kept in a column that is VARCHAR already."""


def _text_of_json(value: str) -> str:
    """A value's text is its JSON text, a string's without quotes (contract, "The loader document")."""
    return str(orjson.loads(value)) if value.startswith('"') else value


_VARIANT = TypeMapping("VARIANT", "VARIANT", pa.string(), "PARSE_JSON($1:{}::VARCHAR)")
_MAPPINGS: dict[Kind, TypeMapping] = {
    Kind.STRING: TypeMapping("VARCHAR", "VARCHAR", pa.string(), "$1:{}::VARCHAR"),
    Kind.BIGINT: TypeMapping("NUMBER(38,0)", "NUMBER", pa.int64(), "$1:{}::NUMBER(38,0)"),
    Kind.DOUBLE: TypeMapping("FLOAT", "FLOAT", pa.float64(), "$1:{}::FLOAT"),
    Kind.BOOLEAN: TypeMapping("BOOLEAN", "BOOLEAN", pa.bool_(), "$1:{}::BOOLEAN"),
    Kind.TIMESTAMP: TypeMapping(
        "TIMESTAMP_NTZ(3)", "TIMESTAMP_NTZ", pa.int64(), "TO_TIMESTAMP_NTZ($1:{}::NUMBER(38,0), 3)"
    ),
    Kind.DATE: TypeMapping("DATE", "DATE", pa.string(), "TO_DATE($1:{}::VARCHAR, 'YYYY-MM-DD')"),
    Kind.BYTES: TypeMapping(
        "BINARY", "BINARY", pa.string(), "TO_BINARY($1:{}::VARCHAR, 'HEX')", lambda value: value.hex()
    ),
    **dict.fromkeys((Kind.ARRAY, Kind.MAP, Kind.ROW), _VARIANT),
    # A string that became a union of types: the table's column stays as it is.
    Kind.JSON: replace(
        _VARIANT, as_text=TypeMapping("VARCHAR", "VARCHAR", pa.string(), "$1:{}::VARCHAR", _text_of_json)
    ),
}
_MAPPINGS[Kind.EPOCH_MILLIS] = _MAPPINGS[Kind.TIMESTAMP]


def mapping_of(type_: ColumnType) -> TypeMapping:
    """How a column of this type is kept. Raises KeyError for one that is not."""
    if type_.kind is Kind.DECIMAL:
        precision, scale = type_.precision or 0, type_.scale or 0
        declared = f"NUMBER({precision},{scale})"
        return TypeMapping(declared, "NUMBER", pa.decimal128(precision, scale), f"$1:{{}}::{declared}")
    return _MAPPINGS[type_.kind]


@dataclass(frozen=True, slots=True)
class TableColumn:
    name: str
    type: TypeMapping


@dataclass(frozen=True, slots=True)
class Layout:
    """`table` are the table's columns in order, metadata last; `staging` are those and the control columns.

    `id` is the table's column that holds the topic's id; `keys` those of the key fields, on a compacted topic.
    """

    table: tuple[TableColumn, ...]
    staging: tuple[TableColumn, ...]
    id: str | None
    keys: tuple[str, ...]
    staging_name: str

    def with_texts(self, names: Collection[str]) -> Layout:
        """The same where these columns of the table are VARCHAR, and hold any JSON as its text."""
        if not names:
            return self

        def as_text(column: TableColumn) -> TableColumn:
            text = column.type.as_text if column.name in names else None
            return column if text is None else TableColumn(column.name, text)

        table, staging = tuple(map(as_text, self.table)), tuple(map(as_text, self.staging))
        return replace(self, table=table, staging=staging, staging_name=f"{self.staging_name}_TEXT")


def plan_layout(document: LoaderDocument) -> Layout:
    """The layout for a document. Raises ValueError when the table could not tell repeats or keys apart."""
    own = [TableColumn(c.name, mapping_of(c.type)) for c in document.columns]
    clash = sorted({c.name for c in own} & (METADATA.keys() | CONTROL.keys()))
    if clash:
        raise ValueError(f"columns {', '.join(clash)}: these names are the loader's own; rename them in the sink")
    compacted = document.topic.compacted
    if compacted and not document.topic.key_fields:
        raise ValueError(f"topic {document.topic.name} is compacted but has no key fields")
    table = (*own, *_columns(METADATA))
    return Layout(
        table=table,
        staging=(*table, *_columns(CONTROL)),
        id=_column_of(document, document.id.field) if document.id and not compacted else None,
        keys=tuple(_column_of(document, field) for field in document.topic.key_fields) if compacted else (),
        staging_name=_staging_name(document),
    )


def _columns(kinds: dict[str, Kind]) -> Iterable[TableColumn]:
    return (TableColumn(name, _MAPPINGS[kind]) for name, kind in kinds.items())


def _column_of(document: LoaderDocument, field: str) -> str:
    """The column with a field's value, or its hash: other transforms make different values equal."""
    for column in document.columns:
        if column.field == field and _tells_apart(column.transform):
            return column.name
    raise ValueError(f"no column holds field {field!r} or its hash: the loader recognises a row by it")


def _tells_apart(transform: Transform | None) -> bool:
    return transform is None or transform.kind == "hash"


def _staging_name(document: LoaderDocument) -> str:
    """One staging table per sink and set of columns: a changed sink never meets the old one's columns."""
    columns = ",".join(f"{c.name} {mapping_of(c.type).declared}" for c in document.columns)
    digest = hashlib.sha256(f"{document.group_id}\n{columns}".encode()).hexdigest()[:8].upper()
    readable = re.sub(r"[^A-Z0-9]+", "_", document.group_id.upper())[:100]
    return f"_HEADRACE_STAGING_{readable}_{digest}"
