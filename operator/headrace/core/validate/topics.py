"""Topics: schema, key, id, event time, cleanup, external ones, and who writes them."""

from __future__ import annotations

from collections.abc import Mapping

from headrace.core.columns import Column, Kind
from headrace.core.durations import parse_duration
from headrace.core.pipeline import EventId, EventTime, Schema, Topic
from headrace.core.problems import Path
from headrace.core.schema import Declared, SchemaError, read_schema
from headrace.core.validate.findings import Findings
from headrace.core.wire import pipeline as wire

DEFAULT_PARTITIONS = 3
DEFAULT_RETENTION = "7d"
MAX_WAIT_MS = 30 * 86_400_000
# A key must have one text for one value: a DOUBLE has several, a nested value has no order.
KEY_KINDS = frozenset({Kind.STRING, Kind.BIGINT, Kind.BOOLEAN, Kind.TIMESTAMP, Kind.EPOCH_MILLIS, Kind.DATE})


def resolve(declared: list[wire.Topic], found: Findings) -> dict[str, Topic]:
    """The topics by name. A topic with a problem is still there, with as many columns as could be read."""
    topics: dict[str, Topic] = {}
    for index, topic in enumerate(declared):
        topics.setdefault(topic.name, _topic(topic, ("spec", "topics", index), found))
    return topics


def check_writers(pipeline: wire.StreamPipeline, topics: Mapping[str, Topic], found: Findings) -> None:
    """Two writers race on a compacted topic (the newest value per key is whoever came last); jobs form no cycle."""
    spec = pipeline.spec
    writers: dict[str, str] = {entry.topic: "ingest" for entry in spec.ingest}
    for index, job in enumerate(spec.jobs):
        path: Path = ("spec", "jobs", index, "output")
        topic = topics.get(job.output)
        if topic and topic.compacted and job.output in writers:
            found.add(
                path,
                f"{job.output!r} is compacted and already written by {writers[job.output]}: the two would race",
                "write to a topic of its own",
            )
        writers.setdefault(job.output, f"job {job.name!r}")
    reads = {job.name: (set(job.inputs), job.output) for job in spec.jobs}
    for index, job in enumerate(spec.jobs):
        if job.output in _upstream(job.inputs, reads):
            found.add(
                ("spec", "jobs", index, "output"),
                f"{job.output!r} feeds this job again: its inputs come from its own output",
                "break the cycle",
            )


def _upstream(inputs: list[str], reads: Mapping[str, tuple[set[str], str]]) -> set[str]:
    """Every topic from which something flows into `inputs`, themselves included."""
    seen: set[str] = set()
    open_ = list(inputs)
    while open_:
        topic = open_.pop()
        if topic not in seen:
            seen.add(topic)
            open_ += [source for sources, output in reads.values() if output == topic for source in sources]
    return seen


def _topic(topic: wire.Topic, path: Path, found: Findings) -> Topic:
    schema = _schema(topic, path, found)
    columns = {column.name: column for column in schema.columns}
    _key(topic, columns, path, found)
    event_time = _event_time(topic, columns, path, found)
    cleanup = tuple(sorted(set(topic.cleanup_policy or ["delete"])))
    if topic.cleanup_policy and len(cleanup) != len(topic.cleanup_policy):
        found.add((*path, "cleanupPolicy"), "names a policy twice")
    if "compact" in cleanup and not topic.key_fields:
        found.add((*path, "cleanupPolicy"), "compact keeps the newest event per key, and there are no keyFields")
    if topic.external:
        for field, value in (("partitions", topic.partitions), ("retention", topic.retention)):
            if value is not None:
                found.add((*path, field), "is its owner's to set: the topic is external", f"remove {field}")
    retention_ms = parse_duration(topic.retention or DEFAULT_RETENTION)
    if retention_ms < 1_000:
        found.add((*path, "retention"), "must be at least 1s")
    return Topic(
        name=topic.name,
        external=topic.external.kafka_name if topic.external else None,
        partitions=topic.partitions or DEFAULT_PARTITIONS,
        key_fields=tuple(topic.key_fields),
        id=_id(topic, columns, path, found),
        event_time=event_time,
        retention_ms=retention_ms,
        cleanup=cleanup,
        deletion_policy=topic.deletion_policy,
        schema=schema,
    )


def _schema(topic: wire.Topic, path: Path, found: Findings) -> Schema:
    given = topic.schema_
    event_time = topic.event_time.field if topic.event_time else None
    needed = {*topic.key_fields, *([topic.id.field] if topic.id else ()), *([event_time] if event_time else ())}
    here = (*path, "schema")
    if given.message is not None and given.format != "Protobuf":
        found.add((*here, "message"), f"has no meaning with format {given.format}", "remove it")
    declared = Declared({}, ())
    try:
        declared = read_schema(
            given.format, given.definition, message=given.message, event_time=event_time, needed=needed
        )
    except SchemaError as error:
        found.add((*here, "definition"), str(error))
    return Schema(given.format, given.compatibility, declared.definition, declared.columns, declared.message)


def _key(topic: wire.Topic, columns: Mapping[str, Column], path: Path, found: Findings) -> None:
    for index, field in enumerate(topic.key_fields):
        here = (*path, "keyFields", index)
        if field in topic.key_fields[:index]:
            found.add(here, f"{field!r} is there twice")
        _field(here, field, columns, KEY_KINDS, "a key field", found)


def _id(topic: wire.Topic, columns: Mapping[str, Column], path: Path, found: Findings) -> EventId | None:
    if topic.id is None:
        return None
    kinds = frozenset({Kind.STRING, Kind.BIGINT})
    _field((*path, "id", "field"), topic.id.field, columns, kinds, "an id", found)
    if topic.event_time is None:
        found.add(
            (*path, "id"),
            "needs an eventTime: its window is measured in event time",
            "add eventTime: {field: …}",
        )
    return EventId(topic.id.field, parse_duration(topic.id.window))


def _event_time(topic: wire.Topic, columns: Mapping[str, Column], path: Path, found: Findings) -> EventTime | None:
    if topic.event_time is None:
        return None
    here = (*path, "eventTime", "field")
    _field(
        here, topic.event_time.field, columns, frozenset({Kind.TIMESTAMP, Kind.EPOCH_MILLIS}), "an event time", found
    )
    for name, text in (
        ("outOfOrderness", topic.event_time.out_of_orderness),
        ("idleTimeout", topic.event_time.idle_timeout),
    ):
        if parse_duration(text) > MAX_WAIT_MS:
            found.add((*path, "eventTime", name), "must be at most 30d: every window waits that long")
    return EventTime(
        topic.event_time.field,
        parse_duration(topic.event_time.out_of_orderness),
        parse_duration(topic.event_time.idle_timeout),
    )


_WANTED = {
    "an event time": 'a time: in JSON {"type": "string", "format": "date-time"}, in Avro a long of logicalType '
    "timestamp-millis, in Protobuf a google.protobuf.Timestamp; or an integer of epoch milliseconds",
    "an id": "declare it as a string or an integer",
    "a key field": "declare it as a string, an integer, a boolean or a time",
}


def _field(  # noqa: PLR0917
    path: Path, name: str, columns: Mapping[str, Column], kinds: frozenset[Kind], what: str, found: Findings
) -> None:
    """A named field must be in the schema, of a fitting type, and in every event."""
    if not columns:  # the schema has its own problem
        return
    if not found.has(path, name, columns, "field of the schema"):
        return
    column = columns[name]
    if column.type.kind not in kinds:
        found.add(path, f"{name!r} is {column.type.sql}, which cannot be {what}", _WANTED[what])
    elif not column.required:
        found.add(
            path,
            f"{name!r} may be missing or null, and {what} is needed in every event",
            'in JSON add it to "required", in Avro take "null" out of its type',
        )
