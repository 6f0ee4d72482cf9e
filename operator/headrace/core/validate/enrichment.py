"""What ingestion adds to an event: each field is in the schema, of a type that the source can fill."""

from __future__ import annotations

from collections.abc import Mapping

from headrace.core.columns import Column, Kind
from headrace.core.documents import Enrichment, Lookup
from headrace.core.pipeline import Topic
from headrace.core.problems import Path
from headrace.core.validate.findings import Findings
from headrace.core.wire import pipeline as wire

_FILLS = {
    "ReceiveTime": frozenset({Kind.TIMESTAMP, Kind.EPOCH_MILLIS}),
    "RequestId": frozenset({Kind.STRING}),
    "Caller": frozenset({Kind.STRING}),
}
_VALUES: Mapping[Kind, tuple[type, ...]] = {
    Kind.STRING: (str,),
    Kind.BIGINT: (int,),
    Kind.DOUBLE: (int, float),
    Kind.BOOLEAN: (bool,),
    Kind.TIMESTAMP: (str,),
    Kind.DATE: (str,),
    Kind.DECIMAL: (str, int, float),
    Kind.EPOCH_MILLIS: (int,),
    Kind.JSON: (str, int, float, bool),
}


def resolve(entry: wire.Ingest, path: Path, topics: Mapping[str, Topic], found: Findings) -> tuple[Enrichment, ...]:
    topic = topics.get(entry.topic)
    if topic is None or not topic.schema.columns:  # that is a problem of its own
        return ()
    columns = {column.name: column for column in topic.schema.columns}
    resolved = []
    for index, enrich in enumerate(entry.enrich):
        here = (*path, "enrich", index)
        if found.has((*here, "field"), enrich.field, columns, "field of the schema"):
            _check(enrich, columns, here, topics, found)
        lookup = enrich.lookup
        resolved.append(
            Enrichment(
                field=enrich.field,
                source=enrich.from_,
                value=enrich.value,
                lookup=Lookup(topic=lookup.topic, by=lookup.by, field=lookup.field) if lookup else None,
            )
        )
    return tuple(resolved)


def _check(
    enrich: wire.Enrich, columns: Mapping[str, Column], path: Path, topics: Mapping[str, Topic], found: Findings
) -> None:
    kind = columns[enrich.field].type.kind
    wants_value = enrich.from_ in {"Default", "Constant"}
    if wants_value != (enrich.value is not None):
        message = f"is needed from {enrich.from_}" if wants_value else f"has no meaning from {enrich.from_}"
        found.add((*path, "value"), message)
    elif wants_value and type(enrich.value) not in _VALUES.get(kind, ()):
        found.add((*path, "value"), f"{enrich.value!r} is no value of {enrich.field!r}, which is {kind.value}")
    fills = _FILLS.get(enrich.from_)
    if fills and kind not in fills:
        wanted = "a time" if enrich.from_ == "ReceiveTime" else "text"
        found.add((*path, "field"), f"{enrich.field!r} is {kind.value}; {enrich.from_} gives {wanted}")
    if (enrich.from_ == "Lookup") != (enrich.lookup is not None):
        message = "is needed from Lookup" if enrich.from_ == "Lookup" else f"has no meaning from {enrich.from_}"
        found.add((*path, "lookup"), message, "lookup: {topic: …, by: …, field: …}" if enrich.lookup is None else "")
    elif enrich.lookup is not None:
        _check_lookup(enrich, enrich.lookup, columns, (*path, "lookup"), topics, found)


def _check_lookup(  # noqa: PLR0917
    enrich: wire.Enrich,
    lookup: wire.EnrichLookup,
    columns: Mapping[str, Column],
    path: Path,
    topics: Mapping[str, Topic],
    found: Findings,
) -> None:
    by_is_known = found.has((*path, "by"), lookup.by, columns, "field of the schema")
    if not found.has((*path, "topic"), lookup.topic, topics, "declared topic"):
        return
    source = topics[lookup.topic]
    there = {column.name: column for column in source.schema.columns}
    if not source.compacted or len(source.key_fields) != 1:
        found.add((*path, "topic"), f"{lookup.topic!r} is no compacted topic with one key field")
    elif by_is_known and source.key_fields[0] in there:
        key = there[source.key_fields[0]].type
        if columns[lookup.by].type != key:
            mine = columns[lookup.by].type.kind.value
            found.add((*path, "by"), f"{lookup.by!r} is {mine}, the key of {lookup.topic!r} is {key.kind.value}")
    if there and found.has((*path, "field"), lookup.field, there, f"field of {lookup.topic!r}"):
        gives, takes = there[lookup.field].type, columns[enrich.field].type
        if gives != takes:
            found.add((*path, "field"), f"{lookup.field!r} is {gives.kind.value}, {enrich.field!r} {takes.kind.value}")
