"""Tables for `Lookup`: a compacted topic followed into a store, as a view is, and asked by the value of its key."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from headrace.core.columns import Column, Kind
from headrace.core.documents import GatewayDocument, GatewayTopic
from headrace.core.keys import encode_key
from headrace_apps.gateway.problems import Problem
from headrace_apps.gateway.records import key_columns_of
from headrace_apps.gateway.views.follower import ViewFollower
from headrace_apps.gateway.views.store import ViewStore
from headrace_apps.records.decoder import Decoder
from headrace_apps.records.json_check import (
    canonical_timestamp,
    fits_bigint,
    fits_boolean,
    fits_date,
    fits_double,
    fits_epoch_millis,
    fits_string,
    fits_timestamp,
)
from headrace_apps.records.outcome import Refused

log = logging.getLogger(__name__)

_FITS: dict[Kind, Callable[[Any], bool]] = {
    Kind.STRING: fits_string,
    Kind.BIGINT: fits_bigint,
    Kind.DOUBLE: fits_double,
    Kind.BOOLEAN: fits_boolean,
    Kind.DATE: fits_date,
    Kind.DECIMAL: fits_string,
    Kind.BYTES: fits_string,
    Kind.TIMESTAMP: fits_timestamp,
    Kind.EPOCH_MILLIS: lambda value: fits_epoch_millis(value) or fits_timestamp(value),
}


def looked_up(document: GatewayDocument) -> list[GatewayTopic]:
    """The topics that some enrichment looks up in. Raises ValueError where that cannot be done."""
    names = {
        step.lookup.topic: topic.name
        for topic in document.topics
        if topic.ingest is not None
        for step in topic.ingest.enrich
        if step.lookup is not None
    }
    topics = []
    for name, user in names.items():
        try:
            topic = document.topic(name)
        except KeyError:
            raise ValueError(f"topic {user} looks up in {name}, which the document does not have") from None
        if not topic.compacted or len(key_columns_of(topic)) != 1:
            raise ValueError(f"topic {user} looks up in {name}, which is not compacted by one key field")
        topics.append(topic)
    return topics


class LookupTable:
    """One topic's newest records. `get` is for threads: decoding may ask the registry."""

    def __init__(self, topic: GatewayTopic, decoder: Decoder, store: ViewStore, follower: ViewFollower) -> None:
        self.topic = topic
        self.follower = follower
        (self._key,) = key_columns_of(topic)
        self._decoder = decoder
        self._store = store

    def get(self, value: Any) -> dict[str, Any] | None:
        """None for what is not there, and for what is no record of its topic."""
        key = key_of(self._key, value)
        entry = None if key is None else self._store.get(key)
        if entry is None:
            return None
        found = self._decoder.form(entry.value)
        if isinstance(found, Refused):
            where = f"partition {entry.partition}, offset {entry.offset}"
            log.warning("the record of %s at %s is not used: %s", self.topic.name, where, found.error)
            return None
        return found


def key_of(column: Column, value: Any) -> bytes | None:
    """The Kafka key that a value stands for; None when it is none of the column's type."""
    fits = _FITS.get(column.type.kind)
    if fits is None or not fits(value):
        return None
    if column.type.kind in (Kind.TIMESTAMP, Kind.EPOCH_MILLIS):
        value = canonical_timestamp(value)
    return encode_key((column,), {column.name: value})


def demand_restored(tables: Mapping[str, LookupTable]) -> None:
    """Raises Problem 503 while a table has not caught up: an event would go without what it should carry."""
    for name, table in tables.items():
        progress = table.follower.progress
        if not progress.restored:
            detail = (
                f"Lookups in {name} are being restored: {progress.applied} of {progress.to_apply} offsets are read."
            )
            raise Problem(503, "lookup-restoring", detail, headers={"Retry-After": "1"})
