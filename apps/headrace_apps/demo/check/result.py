"""The outcome of one comparison."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Result:
    """`expected` and `found` are counts; every difference names the id, window or offset it is about."""

    name: str
    expected: int
    found: int
    differences: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not self.differences


def compare_each(
    name: str, expected: Mapping[Any, Any], found: Iterable[tuple[Hashable, Any]], *, at_most_once: bool = True
) -> Result:
    """Every expected key found (once, if so asked) with an equal value, and nothing else found."""
    differences: list[str] = []
    seen: dict[Hashable, int] = {}
    count = 0
    for key, value in found:
        count += 1
        seen[key] = seen.get(key, 0) + 1
        if key not in expected:
            differences.append(f"{show(key)}: not expected here")
        elif value != expected[key]:
            differences.append(f"{show(key)}: {difference(expected[key], value)}")
    differences += [f"{show(key)}: missing" for key in expected if key not in seen]
    if at_most_once:
        differences += [f"{show(key)}: {times} times" for key, times in seen.items() if times > 1]
    return Result(name, len(expected), count, differences)


def show(key: Hashable) -> str:
    return " ".join(str(part) for part in key) if isinstance(key, tuple) else str(key)


def difference(expected: object, found: object) -> str:
    """The fields that differ, or both values."""
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        names = [n for n in {**expected, **found} if expected.get(n) != found.get(n)]
        return ", ".join(f"{n} is {found.get(n)!r}, expected {expected.get(n)!r}" for n in names)
    return f"is {found!r}, expected {expected!r}"
