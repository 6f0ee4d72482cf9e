"""Which letters a command is about. Pure: every condition that is given must hold, and none given selects all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import jsonpath

from headrace_apps.dead_letters.letter import Letter

NO_VALUE = object()
"""What `value_of` gives for bytes that no decoder can read."""

ValueOf = Callable[[Letter], Any]


class WrongPathError(ValueError):
    """A JSON path that cannot be read; the message shows where."""


class ValueCondition:
    """On the letter's value as JSON, by RFC 9535.

    `$.lines[?@.sku == "a"]` holds when it finds anything; without `$` it is a condition on the value itself:
    `@.amount > 10 && @.page == "/"`. Bytes that cannot be read as a value meet no condition.
    """

    def __init__(self, text: str) -> None:
        self.text = text.strip()
        self._wrapped = not self.text.startswith("$")
        try:
            self._path = jsonpath.compile(f"$[?({self.text})]" if self._wrapped else self.text, strict=True)
        except (jsonpath.JSONPathError, RecursionError) as error:
            raise WrongPathError(f"{self.text!r} is no JSON path: {str(error).splitlines()[0]}") from error

    def holds(self, value: Any) -> bool:
        if value is NO_VALUE:
            return False
        document = [value] if self._wrapped else value
        if not isinstance(document, list | dict):
            return False
        return next(iter(self._path.finditer(document)), None) is not None


@dataclass(frozen=True)
class Selection:
    """`stages`: `gateway`, `job/page-views`, or only the name; `topics`: Kafka names; times with a zone.

    `since` is included, `until` is not. `places` are letters by name (`2-1041`). `key` is the key's text.
    """

    stages: frozenset[str] = frozenset()
    reasons: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()
    places: frozenset[str] = frozenset()
    key: str | None = None
    error: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    where: ValueCondition | None = None

    def selects(self, letter: Letter, value_of: ValueOf) -> bool:
        """The cheap conditions first: the value is decoded only for letters that meet all others."""
        return (
            (not self.places or letter.place in self.places)
            and (not self.stages or letter.stage in self.stages or letter.stage.partition("/")[2] in self.stages)
            and (not self.reasons or letter.reason.lower() in {reason.lower() for reason in self.reasons})
            and (not self.topics or letter.topic in self.topics)
            and (self.error is None or self.error.lower() in letter.error.lower())
            and (self.key is None or _text(letter.record.key) == self.key)
            and self._in_time(letter.time)
            and (self.where is None or self.where.holds(value_of(letter)))
        )

    def _in_time(self, time: datetime | None) -> bool:
        """A letter without a time is in no range."""
        if self.since is None and self.until is None:
            return True
        if time is None:
            return False
        return (self.since is None or time >= self.since) and (self.until is None or time < self.until)


def _text(key: bytes | None) -> str | None:
    return None if key is None else key.decode("utf-8", "replace")
