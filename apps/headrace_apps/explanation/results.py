"""Which rows of a job's output an event went into: by the output's key fields, and its windows where it has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headrace.core.documents import GatewayTopic
from headrace_apps.explanation.copies import Copy
from headrace_apps.explanation.moments import millis_of
from headrace_apps.inspection.records import Record
from headrace_apps.inspection.scan import Progress, Scan
from headrace_apps.inspection.values import UndecodableError, Values

START, END = "window_start", "window_end"
MOST_ROWS = 50


@dataclass(frozen=True, slots=True)
class Match:
    """What a row of `output` must be like to have taken the event; `fields` are compared as JSON."""

    output: GatewayTopic
    fields: Mapping[str, Any]
    at: int
    windowed: bool

    def takes(self, row: Mapping[str, Any]) -> bool:
        if any(row.get(name) != value for name, value in self.fields.items()):
            return False
        start, end = millis_of(row.get(START)), millis_of(row.get(END))
        return (start is None or start <= self.at) and (end is None or self.at < end)


def match_of(copy: Copy, output: GatewayTopic) -> Match | None:
    """None when nothing in the output says which event a row is of.

    Key fields that the event has under the same name must be equal. A field with a window's name, or the output's own
    event time, is not compared: it is of the window and not of the event.
    """
    names = {column.name for column in output.columns}
    own = {START, END, output.event_time_field}
    fields = {name: copy.value[name] for name in output.key_fields if name in copy.value and name not in own}
    windowed = bool(names & {START, END})
    return Match(output, fields, copy.at, windowed) if fields or windowed else None


def find_rows(
    kafka: Mapping[str, str], match: Match, values: Values, since: int | None, progress: Progress | None = None
) -> list[tuple[Record, Any]]:
    """The newest row of each key that takes the event, at most `MOST_ROWS`. Raises UnreadableError."""
    found: dict[bytes | None, tuple[Record, Any]] = {}
    for record in Scan(kafka, match.output.kafka_topic, since=since, progress=progress):
        if record.value is None:
            found.pop(record.key, None)
            continue
        try:
            row = values.value(record)
        except UndecodableError:
            continue
        if isinstance(row, dict) and match.takes(row):
            found.pop(record.key, None)
            found[record.key] = (record, row)
            if len(found) > MOST_ROWS:
                found.pop(next(iter(found)))
    return list(found.values())
