"""What a view is kept in, as its follower and its routes see it. `rocks` keeps it on disk (docs/adr/0010).

`apply` takes records and the positions after them as one step: a store never holds a record that its positions do not
cover, or the other way round. It is a copy: when what it was made for changes, it is emptied and the topic read again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from headrace.core.documents import GatewayTopic
from headrace_apps.gateway.views.order import KeyOrder


@dataclass(frozen=True, slots=True)
class Entry:
    """The latest record of a key; `timestamp` is the record's, epoch milliseconds."""

    value: bytes
    partition: int
    offset: int
    timestamp: int


@dataclass(frozen=True, slots=True)
class Change:
    """A record of the topic. `entry` None: the key is deleted."""

    key: bytes
    entry: Entry | None


class Found(NamedTuple):
    """An entry of a scan, and its place in the order of keys."""

    place: bytes
    key: bytes
    entry: Entry


class StoreError(Exception):
    """The store cannot be opened; the message says what to do."""


class Reading(Protocol):
    """One state of a store. `positions`: exactly what lies before these offsets is in it."""

    @property
    def positions(self) -> Mapping[int, int]: ...

    def get(self, key: bytes) -> Entry | None: ...

    def scan(self, start: bytes, end: bytes, limit: int) -> list[Found]:
        """Up to `limit` entries in the order of their places, from `start` to before `end`."""


class ViewStore(Protocol):
    """Written by one thread, read by any number."""

    def prepare(self, identity: str, now: float, outdated: float) -> bool:
        """Empty it, unless it was made for this identity and written to less than `outdated` seconds ago (`now` is
        epoch seconds); True when it was emptied."""

    def apply(self, changes: Sequence[Change], positions: Mapping[int, int], now: float) -> None:
        """Make the changes in their order and remember where the topic was read up to, both or neither."""

    def expire(self, earliest: Mapping[int, int]) -> int:
        """Drop the entries whose record lies before the earliest offset of its partition; how many there were."""

    def get(self, key: bytes) -> Entry | None: ...

    def read(self) -> Reading:
        """The store as it is now, whatever is written meanwhile."""

    def positions(self) -> Mapping[int, int]:
        """The next offset to read per partition; empty in a new store."""

    def count(self) -> int: ...

    def close(self) -> None: ...


def identity_of(topic: GatewayTopic) -> str:
    """What entries depend on beside the topic's id: its schema, and how its keys are encoded."""
    schema = topic.schema_.identity if topic.schema_ is not None else ""
    kinds = {column.name: column.type.kind for column in topic.columns}
    return f"{schema} {','.join(f'{name}:{kinds.get(name)}' for name in topic.key_fields)}"


NewStore = Callable[[str, KeyOrder], ViewStore]
"""A store by the name of what it holds."""
