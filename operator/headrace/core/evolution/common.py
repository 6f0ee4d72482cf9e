"""What all formats have in common: a break, and who reads whose events."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Break:
    """`field` is a path (`lines[].sku`), empty for the whole; `problem` goes on from its name."""

    field: str
    problem: str

    def __str__(self) -> str:
        return f"field {self.field}: {self.problem}" if self.field else self.problem


@dataclass(frozen=True, slots=True)
class Sides:
    """How the two versions are called in a sentence."""

    reader: str
    writer: str


def below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
