"""What the gateway adds to an event before it is judged: `ingest[].enrich`, in its order. Pure but for the lookups.

    parsed event + moment → the members that change

`Default` fills what is missing or null; all others overwrite what the event says. See docs/reference/contracts.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

import msgspec

from headrace.core.columns import Column, Kind
from headrace.core.dead_letter import rfc3339
from headrace.core.documents import Enrichment
from headrace_apps.records.strict_json import json_text

ANYONE = "anonymous"
"""The caller where authentication is off."""

Event = dict[str, Any]


class Moment(NamedTuple):
    """What one request says about all its events; `millis` since 1970."""

    millis: int
    request_id: str
    caller: str


class Table(Protocol):
    """A compacted topic to look up in; `lookups.LookupTable` is one."""

    def get(self, value: Any) -> Event | None:
        """The newest record whose key is this value, in the JSON form. Raises RegistryAwayError."""


Step = Callable[[Event, Moment], Any]


class _Nothing:
    """The field stays as it is."""


NOTHING = _Nothing()


class Enricher:
    """One topic's. Raises ValueError for a lookup in a topic that there is not."""

    def __init__(self, declared: Sequence[Enrichment], columns: Sequence[Column], tables: Mapping[str, Table]) -> None:
        kinds = {column.name: column.type.kind for column in columns}
        self._steps = [(step.field, _step(step, kinds.get(step.field), tables)) for step in declared]

    def enrich(self, event: Event, moment: Moment) -> Event:
        """Changes `event`; the members that it changed."""
        changed: Event = {}
        for field, step in self._steps:
            value = step(event, moment)
            if value is not NOTHING:
                event[field] = changed[field] = value
        return changed


def splice(raw: bytes, changed: Event) -> bytes:
    """The event's own text with these members: all others stay byte by byte, so that no number is rounded."""
    members = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    for field, value in changed.items():
        members[field] = msgspec.Raw(json_text(value).encode())
    return msgspec.json.encode(members)


def _step(  # noqa: PLR0911 - a line per source
    declared: Enrichment, kind: Kind | None, tables: Mapping[str, Table]
) -> Step:
    match declared.source:
        case "ReceiveTime":
            if kind in (Kind.EPOCH_MILLIS, Kind.BIGINT):
                return lambda _, moment: moment.millis
            return lambda _, moment: rfc3339(datetime.fromtimestamp(moment.millis / 1000, UTC))
        case "RequestId":
            return lambda _, moment: moment.request_id
        case "Caller":
            return lambda _, moment: moment.caller
        case "Constant":
            return lambda _, __: declared.value
        case "Default":
            return lambda event, _: declared.value if event.get(declared.field) is None else NOTHING
        case "Lookup":
            return _lookup(declared, tables)


def _lookup(declared: Enrichment, tables: Mapping[str, Table]) -> Step:
    lookup = declared.lookup
    if lookup is None:
        raise ValueError(f"the enrichment of {declared.field} is a lookup without saying in what")
    table = tables[lookup.topic]

    def look(event: Event, _: Moment) -> Any:
        value = event.get(lookup.by)
        found = None if value is None else table.get(value)
        return NOTHING if found is None else found.get(lookup.field)

    return look
