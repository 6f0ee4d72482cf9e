"""The Kafka key of an event: the same bytes from the gateway, from Flink and in a view's URL.

One STRING key field: its UTF-8 bytes. Anything else: a compact JSON object of the key fields in declared order,
which is what Flink's `raw` and `json` key formats write (docs/reference/contracts.md, "Records").
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from headrace.core.columns import Column, Kind


def is_plain(key_columns: Sequence[Column]) -> bool:
    """True when the key is the text of its one STRING field."""
    return len(key_columns) == 1 and key_columns[0].type.kind is Kind.STRING


def encode_key(key_columns: Sequence[Column], event: Mapping[str, Any]) -> bytes | None:
    """The key of a valid event (parsed JSON); None without key fields. Raises KeyError when a key field is missing."""
    if not key_columns:
        return None
    if is_plain(key_columns):
        return str(event[key_columns[0].name]).encode()
    fields = {column.name: event[column.name] for column in key_columns}
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()
