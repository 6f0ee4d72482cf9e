"""`headrace tail`: records of a topic, a view's topic or the dead letters, decoded, a line each."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import typer

from headrace.cli.letters import as_json as letter_as_json
from headrace.cli.options import parse_time
from headrace.cli.pipelines import RunningPipeline, RunningPipelines, find_pipelines, parts_worded
from headrace.cli.progress import reading
from headrace.core.problems import shorten
from headrace_apps.dead_letters.letter import Letter, Resolution, parse_letter
from headrace_apps.dead_letters.outgoing import letter_value
from headrace_apps.dead_letters.selection import NO_VALUE
from headrace_apps.explanation.moments import text_of
from headrace_apps.inspection.records import Record
from headrace_apps.inspection.scan import Scan
from headrace_apps.inspection.values import UndecodableError, Values

DEAD_LETTERS = ("dlq", "dead-letters")
NEWEST = 10


@parts_worded()
def tail(
    state: Path, name: str, *, start: str | None, follow: bool, limit: int | None, as_json: bool, now: datetime
) -> int:
    """Prints; returns the exit code. `start` is `beginning`, `end`, or a time; else the last ten."""
    pipeline, kafka_topic = _stream(find_pipelines(state), name)
    values = Values(pipeline.gateway)
    show = _letter_line if kafka_topic == pipeline.dead_letter_topic else _line
    if start is None and not follow:
        records: Iterable[Record] = _newest(pipeline, kafka_topic, limit or NEWEST)
    else:
        records = islice(Scan(pipeline.gateway.kafka, kafka_topic, follow=follow, **_from(start, now)), limit)
    count = 0
    for count, record in enumerate(records, 1):  # noqa: B007 - told after the loop
        typer.echo(_as_json(record, values, pipeline) if as_json else show(record, values))
    if not count:
        typer.echo(f"{kafka_topic} holds no such records", err=True)
    return 0


def _stream(running: RunningPipelines, name: str) -> tuple[RunningPipeline, str]:
    """The pipeline and Kafka topic of a topic, a view, `dlq` or `pipeline.dlq`."""
    owner, _, last = name.rpartition(".")
    if last in DEAD_LETTERS and (not owner or owner in running.pipelines):
        pipeline = running.named(owner or None)
        return pipeline, pipeline.dead_letter_topic
    pipeline, topic = running.topic(name)
    return pipeline, topic.kafka_topic


def _newest(pipeline: RunningPipeline, topic: str, count: int) -> list[Record]:
    """By their time, over all partitions."""
    found = list(Scan(pipeline.gateway.kafka, topic, last=count, progress=reading(topic)))
    return sorted(found, key=lambda record: record.timestamp)[-count:]


def _from(start: str | None, now: datetime) -> dict[str, Any]:
    """The scan's argument for where it begins."""
    match start:
        case None:
            return {"last": NEWEST}
        case "beginning":
            return {}
        case "end":
            return {"last": 0}
        case _:
            return {"since": int(parse_time(start, now).timestamp() * 1000)}


def _line(record: Record, values: Values) -> str:
    key = values.key(record)
    shown_key = key if isinstance(key, str) else json.dumps(key, ensure_ascii=False)
    return "  ".join([_time(record), record.place, "-" if key is None else shown_key, _value(record, values)])


def _letter_line(record: Record, values: Values) -> str:
    """A letter with why; a resolution with what became of which."""
    match parse_letter(record):
        case Letter() as letter:
            what = f"{letter.reason} at {letter.stage} ({letter.about}): {letter.error}"
            value = _letter_value(letter, values)
            shown = _bytes(record) if value is NO_VALUE else json.dumps(value, ensure_ascii=False)
            return f"{_time(record)}  {record.place}  {what}  {shorten(shown, 300)}"
        case Resolution() as resolution:
            to = f" as {resolution.sent_to}" if resolution.sent_to else ""
            return f"{_time(record)}  {record.place}  letter {resolution.resolves} was {resolution.fate}{to}"
    return f"{_time(record)}  {record.place}  no letter: {_bytes(record)}"


def _as_json(record: Record, values: Values, pipeline: RunningPipeline) -> str:
    if record.topic == pipeline.dead_letter_topic:
        found = parse_letter(record)
        if isinstance(found, Letter):
            return json.dumps(letter_as_json(found, None, _letter_value(found, values)), ensure_ascii=False)
    content: dict[str, Any] = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": text_of(record.timestamp),
        "key": values.key(record),
    }
    try:
        content["value"] = values.value(record)
    except UndecodableError as error:
        content |= {"value": None, "error": str(error), "bytes": repr(record.value)[2:-1]}
    content["headers"] = {name: (value or b"").decode("utf-8", "replace") for name, value in record.headers}
    return json.dumps(content, ensure_ascii=False)


def _letter_value(letter: Letter, values: Values) -> Any:
    try:
        return letter_value(letter, values)
    except UndecodableError:
        return NO_VALUE


def _value(record: Record, values: Values) -> str:
    try:
        value = values.value(record)
    except UndecodableError as error:
        return f"{_bytes(record)}   ({error})"
    return "(deleted)" if record.value is None else json.dumps(value, ensure_ascii=False)


def _bytes(record: Record) -> str:
    return repr(record.value)[2:-1] if record.value is not None else ""


def _time(record: Record) -> str:
    """In the local time zone: a person watches."""
    if record.timestamp < 0:
        return "no time"
    return datetime.fromtimestamp(record.timestamp / 1000, UTC).astimezone().strftime("%H:%M:%S.%f")[:-3]
