"""Where the checks put what they find."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TypeVar

from headrace.core.manifest import Document
from headrace.core.problems import Path, Problem, nearest, shorten

T = TypeVar("T")


class Findings:
    """Collects problems of one document; each gets the line of its field."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self.problems: list[Problem] = []

    def add(self, path: Path, message: str, hint: str = "", line: int | None = None) -> None:
        """`line`: within the field's own text (SQL), counted from 1."""
        problem = self._document.problem(path, message, hint)
        if line is not None:
            problem = replace(problem, line=self._document.line_within(path, line), column=None)
        self.problems.append(problem)

    def has(self, path: Path, name: str, declared: Collection[str], what: str) -> bool:
        """Whether `name` is declared; adds the problem when it is not."""
        if name in declared:
            return True
        self.add(path, f"{shorten(name)!r} is no {what}", nearest(name, declared))
        return False
