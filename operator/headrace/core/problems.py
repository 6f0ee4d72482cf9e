"""A problem with a manifest: where, what, and what to do. Validation returns every one of them at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """`path` is the field (`("spec", "topics", 0, "name")`), `line` and `column` count from 1 where known."""

    path: Path
    message: str
    hint: str = ""
    line: int | None = None
    column: int | None = None
    source: str = ""

    def __str__(self) -> str:
        """`pipeline.yaml:12:5: spec.topics[0].name: message (hint)`."""
        place = ":".join(str(part) for part in (self.source, self.line, self.column) if part)
        parts = [part for part in (place, dotted(self.path)) if part]
        return ": ".join([*parts, self.message]) + (f" ({self.hint})" if self.hint else "")


def dotted(path: Path) -> str:
    """`spec.topics[0].name`, as kubectl writes it; a name that is no plain word is quoted."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part.replace("_", "").replace("-", "").replace("$", "").isalnum() and len(part) < 80:
            text += f".{part}" if text else part
        else:
            text += f"[{shorten(repr(part))}]"
    return text


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint when `word` looks like a slip for something known, else what is known."""
    options: Sequence[str] = sorted(known)
    close = difflib.get_close_matches(word[:100], options, n=1, cutoff=0.7)
    if close:
        return f"did you mean {close[0]!r}?"
    return "known here: " + ", ".join(options[:20]) if options else "none is declared"


def shorten(text: str, limit: int = 80) -> str:
    """One line of at most `limit` characters: what a user wrote may be huge."""
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"
