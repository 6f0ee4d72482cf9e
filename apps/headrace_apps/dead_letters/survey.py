"""What a selection comes to: counts, samples and places. The first thing every command does, and all of a dry run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from headrace_apps.dead_letters.letter import Letter, Resolution
from headrace_apps.dead_letters.selection import Selection, ValueOf

Group = tuple[str, str, str]
"""Stage, reason, topic."""


@dataclass
class Survey:
    """`open_places` are of letters that nothing became of yet: what redrive and discard take."""

    open: Counter[Group] = field(default_factory=Counter)
    redriven: Counter[Group] = field(default_factory=Counter)
    discarded: Counter[Group] = field(default_factory=Counter)
    undecided: list[str] = field(default_factory=list)
    open_places: list[str] = field(default_factory=list)
    newest: list[tuple[Letter, Resolution | None]] = field(default_factory=list)

    @property
    def total(self) -> int:
        return self.open.total() + self.redriven.total() + self.discarded.total() + len(self.undecided)


def survey(
    letters: Iterable[tuple[Letter, Resolution | None]],
    selection: Selection,
    value_of: ValueOf,
    undecided: frozenset[str],
    *,
    samples: int = 5,
    shows: Callable[[Resolution | None], bool] = lambda resolution: resolution is None,
) -> Survey:
    """Counts every selected letter once. `newest` are the last ones that `shows` lets through, the newest first."""
    found = Survey()
    for letter, resolution in letters:
        if not selection.selects(letter, value_of):
            continue
        group = (letter.stage, letter.reason, letter.topic)
        if letter.place in undecided:
            found.undecided.append(letter.place)
        elif resolution is None:
            found.open[group] += 1
            found.open_places.append(letter.place)
        else:
            (found.redriven if resolution.fate == "redriven" else found.discarded)[group] += 1
        if shows(resolution):
            found.newest.append((letter, resolution))
            if len(found.newest) > 4 * samples + 100:
                found.newest = _newest(found.newest, samples)
    found.newest = _newest(found.newest, samples)
    return found


def _newest(letters: list[tuple[Letter, Resolution | None]], count: int) -> list[tuple[Letter, Resolution | None]]:
    """By when they became letters; partitions are read one after the other."""
    return sorted(letters, key=lambda item: item[0].record.timestamp, reverse=True)[:count]
