"""Rows as a Parquet file for PUT. Between `batches` and `sink`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from headrace_apps.loader.layout import Layout
from headrace_apps.loader.statements import parquet_name


def write_parquet(layout: Layout, rows: Sequence[tuple[Any, ...]], file: Path) -> None:
    """`rows` in the order of `layout.staging`, one row group; zstd, which Snowflake reads and Python writes fast."""
    columns = zip(*rows, strict=True) if rows else ((),) * len(layout.staging)
    arrays = [
        pa.array(
            values if column.type.staged is None else _staged(values, column.type.staged), type=column.type.parquet
        )
        for values, column in zip(columns, layout.staging, strict=True)
    ]
    table = pa.table(arrays, names=[parquet_name(index) for index in range(len(arrays))])
    pq.write_table(table, file, compression="zstd", row_group_size=max(len(rows), 1))


def _staged(values: Iterable[Any], change: Callable[[Any], Any] | None) -> Iterable[Any]:
    return values if change is None else [None if value is None else change(value) for value in values]
