"""A job's SELECT alone, over its inputs as declared: what Flink is asked when only the result's columns matter.

Beside `render_sql`, which writes what runs: there a source's columns may be null, because the rows of other outcomes
come through it too. Here a required field is NOT NULL, so that the planner can tell which results are never null.
"""

from __future__ import annotations

from headrace.core.columns import ColumnType, Kind, quote
from headrace.core.pipeline import Job, Pipeline, Topic
from headrace.core.sql.render import RESULT, interval

# Nothing connects to anything when a query is only described; these connectors take every type.
_PLAIN = {"connector": "kafka", "scan.startup.mode": "earliest-offset", "format": "json"}
_VERSIONED = {"connector": "upsert-kafka", "key.format": "json", "value.format": "json"}


def query_statements(job: Job, pipeline: Pipeline) -> tuple[str, ...]:
    """A table per input under its own name, then the SELECT as the view `__result`."""
    inputs = (pipeline.topic(name) for name in job.inputs)
    return (*(_table(topic) for topic in inputs), f"CREATE TEMPORARY VIEW {quote(RESULT)} AS\n{job.sql}")


def _table(topic: Topic) -> str:
    lines = [
        f"{quote(column.name)} {_type(column.type)}{' NOT NULL' if column.required else ''}"
        for column in topic.schema.columns
    ]
    if topic.event_time:
        field = quote(topic.event_time.field)
        lines.append(f"WATERMARK FOR {field} AS {field} - {interval(topic.event_time.out_of_orderness_ms)}")
    versioned = topic.compacted and bool(topic.key_fields)
    if versioned:
        lines.append(f"PRIMARY KEY ({', '.join(map(quote, topic.key_fields))}) NOT ENFORCED")
    options = {"topic": topic.name, "properties.bootstrap.servers": "127.0.0.1:1"}
    options |= _VERSIONED if versioned else _PLAIN
    settings = ", ".join(f"'{key}' = '{value}'" for key, value in options.items())
    body = ",\n  ".join(lines)
    return f"CREATE TEMPORARY TABLE {quote(topic.name)} (\n  {body}\n) WITH ({settings})"


def _type(type_: ColumnType) -> str:
    """The SQL type with what is never null inside it: required fields, items, values (contracts, "Row semantics")."""
    if type_.element is not None:
        return f"ARRAY<{_inside(type_.element)}>"
    if type_.value is not None:
        return f"MAP<STRING, {_inside(type_.value)}>"
    if type_.fields is not None:
        fields = (f"{quote(c.name)} {_type(c.type)}{' NOT NULL' if c.required else ''}" for c in type_.fields)
        return f"ROW<{', '.join(fields)}>"
    return type_.sql


def _inside(type_: ColumnType) -> str:
    return _type(type_) if type_.kind is Kind.JSON else f"{_type(type_)} NOT NULL"
