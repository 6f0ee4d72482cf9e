"""The stream of events to send: new ones, real records, repeats, refusals and stragglers, stamped when they leave.

Pure but for its random numbers: time comes in as an argument. What it promises to the sender, who sends its batches
one after the other: event time goes back by at most `MAX_DISORDER_MS` between any two events in order of sending,
which is inside the samples' outOfOrderness; so nothing but `late_events` is ever late.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Protocol

from headrace_apps.demo.ledger import Kind, Route, Sent

MAX_DISORDER_MS = 1_200
REPEAT_WITHIN_MS = 1_000
LATE_BY_MS = 1_800_000
# Long after any window closed, and well inside the hour for which an id is remembered: a retry is still a duplicate.

Event = dict[str, Any]


class Author(Protocol):
    """What a sample's clients have to say. `now` and `at`: epoch milliseconds. Events are whole, with id and time."""

    @property
    def topic(self) -> str: ...

    @property
    def id_field(self) -> str: ...

    @property
    def breaks(self) -> Sequence[Mapping[str, object]]:
        """Each makes a valid event one that the gateway must refuse."""
        ...

    @property
    def closes_after_ms(self) -> int:
        """An event that much newer than another closes every window that the other is in."""
        ...

    def compose(self, now: int) -> Event:
        """The next event."""
        ...

    def replay(self, now: int) -> Event | None:
        """The next real record, while there are any."""
        ...

    def closing(self, name: str, at: int) -> Event:
        """An event of a client of that name, whose rows are left out of the comparison."""
        ...

    def references(self, now: int) -> list[Sent]:
        """Records of compacted topics that are due; on the first call all that events refer to."""
        ...

    def closing_references(self, at: int) -> list[Sent]:
        """Those that let the time of compacted topics go on beyond the last event."""
        ...


@dataclass(frozen=True, slots=True)
class Mix:
    """Shares of all events, and the numbers of those that come in a known count."""

    duplicates: float = 0.01
    invalid: float = 0.005
    stragglers: float = 0.02
    """Stamped now, sent up to 0.9 s later: the disorder of real clients."""
    replay: float = 0.05
    late: int = 24


@dataclass(frozen=True, slots=True)
class _Held:
    sent: Sent
    release: int


class EventStream:
    """Batches on demand. `now` is epoch milliseconds; it must not go back from call to call."""

    def __init__(self, rng: Random, mix: Mix, author: Author) -> None:
        self._rng = rng
        self._mix = mix
        self._author = author
        self._recent: deque[Sent] = deque(maxlen=500)
        self._held: list[_Held] = []
        self.newest_ms = 0

    def next_batch(self, now: int, count: int, route: Route = Route.GATEWAY) -> list[Sent]:
        """`count` events stamped `now`, but stragglers are held back and earlier ones that are due come first.

        New events take the route; repeats that of the first time, and what must be refused the gateway's.
        """
        if self.take_held(now - MAX_DISORDER_MS, peek=True):
            raise ValueError("stragglers are overdue: send take_held() first")
        due = [held.sent for held in self._held if held.release <= now]
        self._held = [held for held in self._held if held.release > now]
        self.newest_ms = max(self.newest_ms, now)
        for _ in range(count):
            sent = self._next(now, route)
            if sent.kind is Kind.EVENT and self._rng.random() < self._mix.stragglers:
                self._held.append(_Held(sent, now + self._rng.randrange(200, 900)))
            else:
                due.append(sent)
        # Only what left in an earlier batch can be repeated, and its age counts from its stamp.
        self._recent.extend(sent for sent in due if sent.kind in (Kind.EVENT, Kind.REPLAY))
        return due

    def take_held(self, stamped_before: int, *, peek: bool = False) -> list[Sent]:
        """Stragglers stamped before that time, all of them if any: after a pause they leave before newer events."""
        if not any(held.sent.at <= stamped_before for held in self._held):
            return []
        held = [held.sent for held in self._held]
        if not peek:
            self._held = []
        return held

    def references(self, now: int) -> list[Sent]:
        """Records of compacted topics that are due: they leave before the events of that time."""
        return self._author.references(now)

    def late_events(self, started: int, count: int) -> list[Sent]:
        """Events of half an hour before the start; send them only when every job's time has gone on."""
        times = (started - LATE_BY_MS + self._rng.randrange(60_000) for _ in range(count))
        return [self._sent(Kind.LATE, self._author.compose(at), at) for at in times]

    def closing_events(self, attempt: int, count: int) -> list[Sent]:
        """Events whose time closes every window before theirs, after the compacted topics' own.

        Enough different clients reach every partition; who sends them asks for more until the answers name all.
        """
        at = self.newest_ms + self._author.closes_after_ms
        first = self._author.closing_references(at) if attempt == 0 else []
        names = [f"closing-{attempt}-{n}" for n in range(count)]
        return first + [self._sent(Kind.CLOSING, self._author.closing(name, at), at) for name in names]

    def _next(self, now: int, route: Route) -> Sent:
        roll = self._rng.random()
        mix = self._mix
        if roll < mix.duplicates:
            # A repeat that comes after its window closed would be late, not a duplicate: keep them close together.
            recent = [sent for sent in self._recent if now - sent.at <= REPEAT_WITHIN_MS]
            if recent:
                return replace(self._rng.choice(recent), kind=Kind.DUPLICATE)
        elif roll < mix.duplicates + mix.invalid:
            valid = self._sent(Kind.INVALID, self._author.compose(now), now)
            return replace(valid, event=(valid.event or {}) | dict(self._rng.choice(self._author.breaks)))
        elif roll < mix.duplicates + mix.invalid + mix.replay and (real := self._author.replay(now)):
            return self._sent(Kind.REPLAY, real, now, route)
        return self._sent(Kind.EVENT, self._author.compose(now), now, route)

    def _sent(self, kind: Kind, event: Event, at: int, route: Route = Route.GATEWAY) -> Sent:
        return Sent(event[self._author.id_field], kind, self._author.topic, event, route=route, at=at)
