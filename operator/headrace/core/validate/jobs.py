"""Jobs: inputs, output, and what the core can see of the SQL. Flink's planner judges the rest."""

from __future__ import annotations

from collections.abc import Mapping

from headrace.core.columns import Kind
from headrace.core.pipeline import Job, Topic
from headrace.core.problems import Path, nearest
from headrace.core.sql.lateness import NEVER, Lateness, lateness_of
from headrace.core.sql.tokens import SqlError, single_statement, tables_read, tokenize, without_end
from headrace.core.validate.findings import Findings
from headrace.core.wire import pipeline as wire


def resolve(pipeline: wire.StreamPipeline, topics: Mapping[str, Topic], found: Findings) -> tuple[Job, ...]:
    return tuple(_job(job, ("spec", "jobs", index), topics, found) for index, job in enumerate(pipeline.spec.jobs))


def _job(job: wire.Job, path: Path, topics: Mapping[str, Topic], found: Findings) -> Job:
    for index, name in enumerate(job.inputs):
        here = (*path, "inputs", index)
        if found.has(here, name, topics, "declared topic") and topics[name].compacted and not topics[name].event_time:
            # Its records are versions of rows; which version holds at a moment, only an event time can tell.
            found.add(
                here,
                f"{name!r} is compacted and has no eventTime, which a job needs to tell its versions apart",
                "set eventTime on the topic",
            )
        if name in job.inputs[:index]:
            found.add(here, f"{name!r} is there twice")
    if found.has((*path, "output"), job.output, topics, "declared topic") and topics[job.output].external:
        found.add((*path, "output"), f"{job.output!r} is external: Headrace reads it and never writes to it")
    if (
        job.output in topics
        and topics[job.output].schema.format == "JSON"
        and any(c.type.kind is Kind.EPOCH_MILLIS for c in topics[job.output].schema.columns)
    ):
        # Flink's JSON format has one way to write a time.
        event_time = topics[job.output].event_time
        field = event_time.field if event_time else ""
        found.add(
            (*path, "output"),
            f"{job.output!r} has its event time {field!r} as an integer; jobs write times as text",
            'declare it as {"type": "string", "format": "date-time"}',
        )
    return Job(
        name=job.name,
        inputs=tuple(job.inputs),
        output=job.output,
        guarantee=job.guarantee,
        late=job.late,
        parallelism=job.parallelism,
        sql=without_end(job.sql),
        lateness=tuple(_lateness(job, path, topics, found).items()),
    )


def _lateness(job: wire.Job, path: Path, topics: Mapping[str, Topic], found: Findings) -> Mapping[str, Lateness]:
    event_times = {
        name: topic.event_time.field if topic and topic.event_time else None
        for name in job.inputs
        for topic in [topics.get(name)]
    }
    here = (*path, "sql")
    try:
        tokens = single_statement(tokenize(job.sql))
        read = tables_read(tokens)
        for name, line in read.items():
            if name in topics and name not in job.inputs:
                found.add(here, f"reads {name!r}, which is not in inputs", "add it to inputs", line)
            elif name not in job.inputs:
                found.add(here, f"reads {name!r}, which is no declared topic", nearest(name, job.inputs), line)
        for index, name in enumerate(job.inputs):
            if name in topics and name not in read:
                found.add((*path, "inputs", index), f"{name!r} is never read by the SQL", "remove it, or read it")
        # The versions of a compacted topic are never late: an old one is simply no longer the newest.
        versions = {name: NEVER for name in job.inputs if name in topics and topics[name].compacted}
        return lateness_of(tokens, event_times) | versions
    except SqlError as error:
        found.add(here, str(error), error.hint, error.line)
    return dict.fromkeys(job.inputs, NEVER)
