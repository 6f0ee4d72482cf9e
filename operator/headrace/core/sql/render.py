"""A job as Flink SQL: `render_sql(job) -> JobDocument`. Pure; golden files show every statement.

What runs in Flink executes this document and knows nothing of pipelines. The statements follow
docs/reference/contracts.md, "The job document": a source table per input whose rows carry one outcome each, a view
per input with the rows that count, the user's SELECT, and one StatementSet that writes results and dead letters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headrace.core import dead_letter, keys
from headrace.core.columns import Column, quote
from headrace.core.documents import JobDocument
from headrace.core.pipeline import Job, Pipeline, Topic
from headrace.core.platform import Platform
from headrace.core.sql.formats import format_options
from headrace.core.sql.lateness import Lateness

RESULT, DEAD_LETTERS = "__result", "__dead_letters"


@dataclass(frozen=True, slots=True)
class JobNames:
    """`name`: the job's and its consumer group; `kafka` and `subjects`: short topic name → its name there."""

    name: str
    dead_letters: str
    kafka: Mapping[str, str]
    subjects: Mapping[str, str]


def render_sql(job: Job, pipeline: Pipeline, platform: Platform, names: JobNames) -> JobDocument:
    """The document that runs this job."""
    inputs = [pipeline.topic(name) for name in job.inputs]
    output = pipeline.topic(job.output)
    lateness = dict(job.lateness)
    statements = [
        *(_source(topic, lateness[topic.name], platform, names) for topic in inputs),
        *(_view(topic) for topic in inputs),
        _sink(output, job, platform, names),
        _dead_letter_sink(job, platform, names),
        f"CREATE TEMPORARY VIEW {quote(RESULT)} AS\n{job.sql}",
    ]
    return JobDocument(
        name=names.name,
        parallelism=job.parallelism or platform.flink.parallelism,
        config=_config(job, platform, names) | _state(inputs),
        statements=tuple(statements),
        inserts=(_insert_result(output), *(_insert_dead_letters(topic, job, names) for topic in inputs)),
    )


def _config(job: Job, platform: Platform, names: JobNames) -> dict[str, str]:
    flink = platform.flink
    exactly_once = job.guarantee == "ExactlyOnce"
    # An exactly-once result is readable when its checkpoint completes, so the interval is what a reader waits.
    interval = flink.exactly_once_interval_ms if exactly_once else flink.at_least_once_interval_ms
    return {
        "execution.checkpointing.interval": f"{interval} ms",
        "execution.checkpointing.min-pause": f"{interval // 2} ms",
        "execution.checkpointing.timeout": "10 min",
        "execution.checkpointing.dir": f"{flink.checkpoint_dir}/{names.name}",
        "execution.checkpointing.savepoint-dir": f"{flink.savepoint_dir}/{names.name}",
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        "execution.checkpointing.num-retained": "3",
        # Fixed, so that a job keeps its state when its parallelism changes.
        "pipeline.max-parallelism": "128",
        "pipeline.object-reuse": "true",
        "restart-strategy.type": "exponential-delay",
        "restart-strategy.exponential-delay.initial-backoff": "200 ms",
        "restart-strategy.exponential-delay.max-backoff": "10 s",
        "table.local-time-zone": "UTC",
    }


def _state(inputs: Sequence[Topic]) -> dict[str, str]:
    """Where a job keeps what it remembers.

    Ids are remembered for their whole window (an hour at 1,000 events/s is millions), and a checkpoint on the heap
    writes them all, twice a second. RocksDB writes what is new. Without ids the heap is faster.
    """
    if any(topic.id and not topic.compacted for topic in inputs):
        return {"state.backend.type": "rocksdb", "execution.checkpointing.incremental": "true"}
    return {"state.backend.type": "hashmap"}


def _source(topic: Topic, lateness: Lateness, platform: Platform, names: JobNames) -> str:
    columns = [column.sql for column in topic.schema.columns]
    columns += ["`_outcome` STRING", "`_error` STRING", "`_raw` BYTES", "`_key` BYTES"]
    columns += [
        "`_headers` MAP<STRING, BYTES> METADATA FROM 'headers' VIRTUAL",
        "`_partition` INT METADATA FROM 'partition' VIRTUAL",
        "`_offset` BIGINT METADATA FROM 'offset' VIRTUAL",
    ]
    if topic.event_time:
        field = quote(topic.event_time.field)
        columns.append(f"WATERMARK FOR {field} AS {field} - {interval(topic.event_time.out_of_orderness_ms)}")
    options = {
        "connector": "headrace",
        "topic": names.kafka[topic.name],
        **_properties(platform),
        "properties.group.id": names.name,
        "properties.isolation.level": "read_committed",
        "scan.startup.mode": "earliest-offset",
        "key.format": "raw",
        "key.fields": "_key",
        "value.fields-include": "EXCEPT_KEY",
        **format_options(topic.schema, names.subjects[topic.name], platform.registry_url),
        **_late_options(lateness),
    }
    if topic.event_time:
        options["scan.watermark.idle-timeout"] = f"{topic.event_time.idle_timeout_ms} ms"
    if platform.flink.bounded:
        options |= {"scan.bounded.mode": "latest-offset", "scan.watermark.emit.strategy": "on-event"}
    if topic.compacted:
        options["headrace.compacted.key"] = ";".join(topic.key_fields)
    elif topic.id:
        options["headrace.id.field"] = topic.id.field
        options["headrace.id.window"] = f"{topic.id.window_ms} ms"
    return _table(source_table(topic), columns, options)


def _late_options(lateness: Lateness) -> dict[str, str]:
    options: dict[str, str] = {"headrace.late.rule": lateness.rule}
    if lateness.rule == "window":
        options["headrace.late.kind"] = str(lateness.kind)
        options["headrace.late.size"] = f"{lateness.size_ms} ms"
        if lateness.slide_ms:
            options["headrace.late.slide"] = f"{lateness.slide_ms} ms"
        if lateness.partition:
            options["headrace.late.partition"] = ";".join(lateness.partition)
        if lateness.kind != "session":
            options["headrace.late.offset"] = f"{lateness.offset_ms} ms"
    return options


def _view(topic: Topic) -> str:
    """The input under its own name, as the user's SELECT sees it: the rows that count; of a compacted topic the
    versions of each key, in the form that Flink's temporal joins know as a versioned view."""
    columns = ", ".join(quote(column.name) for column in topic.schema.columns)
    source = quote(source_table(topic))
    if topic.compacted and topic.event_time:
        key = ", ".join(quote(field) for field in topic.key_fields)
        newest = f"ROW_NUMBER() OVER (PARTITION BY {key} ORDER BY {quote(topic.event_time.field)} DESC) AS `_newest`"
        versions = f"  SELECT *, {newest}\n  FROM {source} WHERE `_outcome` IN ('row', 'deleted')"  # noqa: S608
        head = f"CREATE TEMPORARY VIEW {quote(topic.name)} AS\nSELECT {columns}\nFROM (\n"
        return f"{head}{versions}\n) WHERE `_newest` = 1"
    return f"CREATE TEMPORARY VIEW {quote(topic.name)} AS\nSELECT {columns}\nFROM {source} WHERE `_outcome` = 'row'"


def _sink(topic: Topic, job: Job, platform: Platform, names: JobNames) -> str:
    key = topic.key_columns
    columns = [column.sql for column in sink_columns(topic)]
    options = {
        "connector": "upsert-kafka" if topic.compacted else "kafka",
        "topic": names.kafka[topic.name],
        **_properties(platform),
        **_delivery(job, platform, f"{names.name}.{topic.name}"),
        **_written_format(topic, names, platform),
        "value.fields-include": "ALL",
    }
    if key:
        # The same bytes as headrace.core.keys.encode_key.
        options["key.format"] = "raw" if keys.is_plain(key) else "json"
        if not keys.is_plain(key):
            options["key.json.timestamp-format.standard"] = "ISO-8601"
        if topic.compacted:
            columns.append(f"PRIMARY KEY ({', '.join(quote(c.name) for c in key)}) NOT ENFORCED")
        else:
            options["key.fields"] = ";".join(c.name for c in key)
    return _table(sink_table(topic), columns, options)


def _written_format(topic: Topic, names: JobNames, platform: Platform) -> dict[str, str]:
    if topic.schema.format != "JSON":
        return format_options(topic.schema, names.subjects[topic.name], platform.registry_url)
    return {
        "value.format": "json",
        "value.json.timestamp-format.standard": "ISO-8601",
        "value.json.encode.ignore-null-fields": "true",
    }


def sink_columns(topic: Topic) -> tuple[Column, ...]:
    """The key's columns first, in declared order: Flink writes a JSON key in the order of the table's columns."""
    key = topic.key_columns
    return (*key, *(column for column in topic.schema.columns if column not in key))


def _dead_letter_sink(job: Job, platform: Platform, names: JobNames) -> str:
    columns = ["`_key` BYTES", "`_value` BYTES", "`_headers` MAP<STRING, BYTES> METADATA FROM 'headers'"]
    options = {
        "connector": "kafka",
        "topic": names.dead_letters,
        **_properties(platform),
        **_delivery(job, platform, f"{names.name}.dead-letters"),
        "key.format": "raw",
        "key.fields": "_key",
        "value.format": "raw",
        "value.fields-include": "EXCEPT_KEY",
    }
    return _table(DEAD_LETTERS, columns, options)


def _insert_result(topic: Topic) -> str:
    """By name, not by position: the SELECT may give its columns in any order."""
    columns = ", ".join(quote(column.name) for column in sink_columns(topic))
    return f"INSERT INTO {quote(sink_table(topic))} ({columns})\nSELECT {columns}\nFROM {quote(RESULT)}"


def _insert_dead_letters(topic: Topic, job: Job, names: JobNames) -> str:
    kept = ["malformed", "late"] if job.late == "DeadLetter" else ["malformed"]
    outcomes = ", ".join(_literal(outcome) for outcome in kept)
    reason = (
        f"CASE `_outcome` WHEN 'late' THEN {_literal(dead_letter.Reason.LATE)} "
        f"ELSE {_literal(dead_letter.Reason.MALFORMED)} END"
    )
    values = {
        dead_letter.STAGE: _literal(dead_letter.stage_of_job(job.name)),
        dead_letter.REASON: reason,
        dead_letter.ERROR: "COALESCE(`_error`, '')",
        dead_letter.TOPIC: _literal(names.kafka[topic.name]),
        dead_letter.PARTITION: "CAST(`_partition` AS STRING)",
        dead_letter.OFFSET: "CAST(`_offset` AS STRING)",
        # What was sent again after a first dead letter carries which attempt this is.
        dead_letter.ATTEMPT: f"COALESCE(CAST(`_headers`[{_literal(dead_letter.CARRIED_ATTEMPT)}] AS STRING), '1')",
        dead_letter.TIME: "DATE_FORMAT(CURRENT_TIMESTAMP, 'yyyy-MM-dd''T''HH:mm:ss.SSS''Z''')",
    }
    headers = ",\n  ".join(f"{_literal(name)}, CAST({value} AS BYTES)" for name, value in values.items())
    return (
        f"INSERT INTO {quote(DEAD_LETTERS)}\n"
        f"SELECT `_key`, `_raw`, MAP_UNION(`_headers`, MAP[\n  {headers}])\n"
        f"FROM {quote(source_table(topic))} WHERE `_outcome` IN ({outcomes})"
    )


def source_table(topic: Topic) -> str:
    return f"__source_{topic.name}"


def sink_table(topic: Topic) -> str:
    return f"__sink_{topic.name}"


def _properties(platform: Platform) -> dict[str, str]:
    return {f"properties.{key}": value for key, value in platform.kafka_java or platform.kafka}


def _delivery(job: Job, platform: Platform, transactional_id_prefix: str) -> dict[str, str]:
    common = {"properties.compression.type": "lz4", "properties.acks": "all"}
    if job.guarantee == "AtLeastOnce":
        return {"sink.delivery-guarantee": "at-least-once", **common}
    return {
        "sink.delivery-guarantee": "exactly-once",
        "sink.transactional-id-prefix": transactional_id_prefix,
        "properties.transaction.timeout.ms": str(platform.flink.transaction_timeout_ms),
        **common,
    }


def _table(name: str, columns: list[str], options: Mapping[str, str]) -> str:
    body = ",\n  ".join(columns)
    settings = ",\n  ".join(f"{_literal(key)} = {_literal(value)}" for key, value in options.items())
    return f"CREATE TEMPORARY TABLE {quote(name)} (\n  {body}\n) WITH (\n  {settings}\n)"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def interval(ms: int) -> str:
    """Days to milliseconds: the only interval whose leading field (up to 999 days) holds every bound we accept."""
    days, rest = divmod(ms, 86_400_000)
    hours, rest = divmod(rest, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"INTERVAL '{days} {hours:02d}:{minutes:02d}:{rest // 1000:02d}.{rest % 1000:03d}' DAY(3) TO SECOND(3)"
