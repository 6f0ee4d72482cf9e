"""Manifest text to plain values with the line of every field: YAML 1.2's core schema, safe and bounded.

First step of the flow. libyaml's events are built into values here, not by PyYAML's constructors, because a manifest
is untrusted: no tags, no duplicate keys, aliases only within the node budget and never cyclic, bounded depth and size.
PyYAML resolves scalars as YAML 1.1 does (`on`, `0o7`, `1:30`, dates), so the scalars are resolved here too.
Source of the scalar rules: YAML 1.2.2, section 10.3.2.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from headrace.core.problems import Path, Problem, shorten

MAX_BYTES = 1_000_000
MAX_NODES = 50_000
MAX_DEPTH = 50
MAX_DOCUMENTS = 50

_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, object] = {"null": None, "Null": None, "NULL": None, "~": None, "": None}
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True) | dict.fromkeys(("false", "False", "FALSE"), False)
_WORDS |= {sign + word: float(sign + "inf") for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")}
_WORDS |= dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan)

Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document: its plain value and the line and column (from 1) of every field in it."""

    value: Any
    places: dict[Path, Place]
    source: str
    blocks: frozenset[Path] = frozenset()

    def line_within(self, path: Path, line: int) -> int:
        """The file's line of line `line` (from 1) of a text; a block scalar's text starts below its key."""
        return self.locate(path)[0] + line - (0 if path in self.blocks else 1)

    def locate(self, path: Path) -> Place:
        """Where a field stands, or the nearest enclosing one that exists (a missing field has no place)."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, (1, 1))

    def problem(self, path: Path, message: str, hint: str = "") -> Problem:
        line, column = self.locate(path)
        return Problem(path, message, hint, line, column, self.source)


class _RefusedError(Exception):
    def __init__(self, message: str, mark: Any, path: Path = (), hint: str = "") -> None:
        super().__init__(message)
        self.mark, self.path, self.hint = mark, path, hint


def parse_yaml(text: str | bytes, source: str = "") -> list[Document] | list[Problem]:
    """Every document of the text, or why it cannot be read (one problem: YAML does not recover from an error)."""
    size = len(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        return [Problem((), f"is {size:,} bytes; a manifest has at most {MAX_BYTES:,}", source=source)]
    try:
        return list(_documents(text, source))
    except _RefusedError as refused:
        at = refused.mark
        return [Problem(refused.path, str(refused), refused.hint, at.line + 1, at.column + 1, source)]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at_line, at_column = (mark.line + 1, mark.column + 1) if mark else (None, None)
        what = " ".join(filter(None, (error.context, error.problem)))
        return [Problem((), f"is not YAML: {shorten(what, 200)}", "", at_line, at_column, source)]
    except (yaml.YAMLError, UnicodeError) as error:
        return [Problem((), f"is not YAML: {shorten(str(error), 200)}", source=source)]


def _documents(text: str | bytes, source: str) -> Iterator[Document]:
    # libyaml reads str by encoding it, and refuses a lone surrogate with a UnicodeError, caught above.
    events: Iterator[Any] = yaml.parse(text, Loader=yaml.CSafeLoader)
    builder = _Builder(events)
    count = 0
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            count += 1
            if count > MAX_DOCUMENTS:
                raise _RefusedError(f"has more than {MAX_DOCUMENTS} documents", event.start_mark)
            builder.reset()
            value = builder.node(next(events), ())
            if value is not None:
                yield Document(value, builder.places, source, frozenset(builder.blocks))


class _Builder:
    """Builds one document's value from events; recursion is bounded by MAX_DEPTH."""

    def __init__(self, events: Iterator[Any]) -> None:
        self._events = events
        self.reset()

    def reset(self) -> None:
        self.places: dict[Path, Place] = {}
        self.blocks: set[Path] = set()
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._open: set[str] = set()
        self._nodes = 0

    def node(self, event: Any, path: Path) -> Any:
        mark = event.start_mark
        self._count(1, mark, path)
        self.places.setdefault(path, (mark.line + 1, mark.column + 1))
        if len(path) > MAX_DEPTH:
            raise _RefusedError(f"is nested more than {MAX_DEPTH} levels deep", mark, path[:8])
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path)
        if event.tag is not None and event.tag != "!":
            raise _RefusedError(f"has the tag {shorten(event.tag)!r}; tags are refused", mark, path, "remove it")
        before = self._nodes
        if event.anchor is not None:
            self._open.add(event.anchor)
        if isinstance(event, yaml.ScalarEvent):
            value = _scalar(event, path)
            if event.style in ("|", ">"):
                self.blocks.add(path)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(path)
        else:
            value = self._mapping(path)
        if event.anchor is not None:
            self._open.discard(event.anchor)
            self._anchors[event.anchor] = (value, self._nodes - before + 1)
        return value

    def _count(self, nodes: int, mark: Any, path: Path) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise _RefusedError(f"has more than {MAX_NODES:,} values (aliases expanded)", mark, path[:8])

    def _alias(self, event: Any, path: Path) -> Any:
        if event.anchor in self._open:
            raise _RefusedError(f"the alias *{event.anchor} contains itself", event.start_mark, path)
        if event.anchor not in self._anchors:
            raise _RefusedError(f"the alias *{event.anchor} has no anchor before it", event.start_mark, path)
        value, nodes = self._anchors[event.anchor]
        self._count(nodes, event.start_mark, path)
        return value

    def _sequence(self, path: Path) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self.node(event, (*path, len(items))))
        return items

    def _mapping(self, path: Path) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            mark = event.start_mark
            if not isinstance(event, yaml.ScalarEvent):
                raise _RefusedError("has a key that is not a plain string", mark, path)
            key = event.value
            if key == "<<" and event.implicit[0]:
                raise _RefusedError("merge keys (<<) are YAML 1.1; write the fields out", mark, path)
            self._count(1, mark, path)
            here = (*path, key)
            if key in mapping:
                first = self.places[here][0]
                raise _RefusedError(f"the key {shorten(key)!r} is already set in line {first}", mark, here)
            self.places[here] = (mark.line + 1, mark.column + 1)
            mapping[key] = self.node(next(self._events), here)
        return mapping


def _scalar(event: Any, path: Path) -> object:
    text: str = event.value
    if not event.implicit[0] or event.style not in (None, ""):
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        if len(text) > 100:
            raise _RefusedError("is a number of more than 100 digits", event.start_mark, path)
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
