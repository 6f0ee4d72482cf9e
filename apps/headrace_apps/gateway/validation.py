"""One event against its topic: JSON, the topic's schema, the row, the key. The decision to accept is made here.

Compiled once per topic. `judge` is pure: bytes in, an accepted event or the reasons against it out.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import jsonschema_rs

from headrace.core.columns import Kind
from headrace.core.dead_letter import Reason
from headrace.core.documents import GatewayTopic
from headrace.core.keys import encode_key
from headrace_apps.gateway.limits import Limits
from headrace_apps.gateway.problems import pointer
from headrace_apps.records.event_json import NotAnEvent, parse_event, parse_slowly
from headrace_apps.records.json_check import RowCheck, canonical_timestamp

MAX_MESSAGE_CHARS = 300


@dataclass(frozen=True, slots=True)
class EventError:
    """One reason against an event: a JSON pointer into it and a sentence."""

    pointer: str
    message: str

    def as_json(self) -> dict[str, str]:
        return {"pointer": self.pointer, "message": self.message}


class Accepted(NamedTuple):
    """To be stored: the event's own bytes under this key."""

    raw: bytes
    key: bytes | None


@dataclass(frozen=True, slots=True)
class Refused:
    raw: bytes
    reason: Reason
    errors: tuple[EventError, ...]

    @property
    def text(self) -> str:
        """All reasons in one line."""
        return "; ".join(f"{e.pointer}: {e.message}" if e.pointer else e.message for e in self.errors)


class SchemaUnusable(ValueError):  # noqa: N818
    """The topic's schema cannot be compiled: the document is wrong, the gateway does not start."""


class EventJudge:
    """Decides about events of one topic. Raises SchemaUnusable when the topic's schema is none."""

    def __init__(self, topic: GatewayTopic, limits: Limits) -> None:
        self._limits = limits
        self._schema = _compile(topic) if topic.schema_ is not None else None
        self._row = RowCheck(topic.columns)
        columns = {c.name: c for c in topic.columns}
        missing = [name for name in topic.key_fields if name not in columns]
        if missing:
            raise SchemaUnusable(f"topic {topic.name}: key field {missing[0]} is not among its columns")
        self._key_columns = tuple(columns[name] for name in topic.key_fields)
        self._timestamps_in_key = tuple(
            c.name for c in self._key_columns if c.type.kind in (Kind.TIMESTAMP, Kind.EPOCH_MILLIS)
        )

    def judge(self, raw: bytes) -> Accepted | Refused:
        """Accept the event or say everything that is wrong with it (at most `max_errors` reasons)."""
        if len(raw) > self._limits.max_event:
            return _malformed(raw, f"has {len(raw)} bytes; at most {self._limits.max_event} fit into a record")
        try:
            event = parse_event(raw, self._limits.max_depth)
        except NotAnEvent as exc:
            return _malformed(raw, str(exc))
        valid = self._schema is None or self._schema.is_valid(event)
        if not valid or not self._row.fits(event):
            # A whole number may be written 1.0 or 1e3. The fast parse has rounded such a one; the slow one has not.
            event = parse_slowly(raw)
            if not valid or not self._row.fits(event):
                return Refused(raw, Reason.SCHEMA_INVALID, tuple(self._errors(event)))
        for column in self._key_columns:
            if event.get(column.name) is None:
                error = EventError(pointer([column.name]), "is part of the key and may not be missing or null")
                return Refused(raw, Reason.SCHEMA_INVALID, (error,))
        return Accepted(raw, self._key(event))

    def _key(self, event: dict[str, Any]) -> bytes | None:
        for name in self._timestamps_in_key:
            # Two spellings of one moment are one key, the one that Flink would write.
            event[name] = canonical_timestamp(event[name])
        return encode_key(self._key_columns, event)

    def _errors(self, event: dict[str, Any]) -> list[EventError]:
        """The schema's reasons; the row's only when the schema has none, as they would say the same again."""
        errors = self._schema.iter_errors(event) if self._schema is not None else iter(())
        reasons = [
            EventError(pointer(error.instance_path), _shorten(error.message))
            for error in islice(errors, self._limits.max_errors)
        ]
        if not reasons:
            faults = islice(self._row.faults(event), self._limits.max_errors)
            reasons = [EventError(pointer(path), message) for path, message in faults]
        return reasons


def _malformed(raw: bytes, message: str) -> Refused:
    return Refused(raw, Reason.MALFORMED, (EventError("", _shorten(message)),))


def _shorten(message: str) -> str:
    return message if len(message) <= MAX_MESSAGE_CHARS else message[: MAX_MESSAGE_CHARS - 1] + "…"


def _compile(topic: GatewayTopic) -> jsonschema_rs.Draft202012Validator:
    assert topic.schema_ is not None  # noqa: S101 - the caller looked
    try:
        # Offline: a `$ref` to another place is an error at start, never a request to somewhere.
        return jsonschema_rs.Draft202012Validator(topic.schema_.definition, validate_formats=True, offline=True)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as exc:
        cause = getattr(exc, "message", None) or str(exc)
        raise SchemaUnusable(f"topic {topic.name}: its schema cannot be used: {cause}") from exc
