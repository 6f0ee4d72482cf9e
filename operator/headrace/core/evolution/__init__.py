"""What a changed schema breaks, by field: for the person whose change a registry refuses. Pure.

A registry decides whether two versions are compatible, but not every one says why, and none in the manifest's words.
`breaks_of` names the fields; its verdict is never used instead of the registry's.

BACKWARD: the new schema must read what was written with the old one. FORWARD: the old must read what the new one
writes. FULL: both.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Literal

from headrace.core.evolution import avro, json_schema, protobuf
from headrace.core.evolution.common import Break, Sides
from headrace.core.schema import SchemaError

__all__ = ["Break", "breaks_of"]

Format = Literal["JSON", "Avro", "Protobuf"]
MOST = 20
NEW_READS_OLD = Sides(reader="the new version", writer="the registered one")
OLD_READS_NEW = Sides(reader="the registered version", writer="the new one")


def breaks_of(format_: Format, old: str, new: str, compatibility: str) -> tuple[Break, ...]:
    """At most `MOST`; none for a level that checks nothing, and for definitions that cannot be read."""
    level = compatibility.removesuffix("_TRANSITIVE")
    found: list[Break] = []
    try:
        if level in ("BACKWARD", "FULL"):
            found += _breaks(format_, new, old, NEW_READS_OLD)
        if level in ("FORWARD", "FULL"):
            found += [one for one in _breaks(format_, old, new, OLD_READS_NEW) if one not in found]
    except (ValueError, KeyError, TypeError, AttributeError, SchemaError, RecursionError):
        return ()  # a registry holds what other makers' tools wrote; without an explanation its own words stand
    return tuple(found[:MOST])


def _breaks(format_: Format, reader: str, writer: str, sides: Sides) -> Iterator[Break]:
    match format_:
        case "JSON":
            return json_schema.breaks(json.loads(reader), json.loads(writer), sides)
        case "Avro":
            return avro.breaks(json.loads(reader), json.loads(writer), sides)
        case "Protobuf":
            return protobuf.breaks(reader, writer, sides)
