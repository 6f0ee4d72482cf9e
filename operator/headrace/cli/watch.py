"""`headrace up --watch`: what the manifests say is applied anew whenever one of them changes.

An edit that is invalid, unreadable or half written changes nothing: its problems are told, and the next one is waited
for. What is restarted is decided by the same difference as ever: only what changed.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from headrace.cli.manifests import load_texts
from headrace.local.errors import PartError

# Editors write in several steps, some by moving a new file into place: a change counts when it has been quiet so long.
QUIET_MS, LOOK_MS = 250, 50

Apply = Callable[[dict[str, str]], Awaitable[bool]]
Tell = Callable[[str], object]


async def watch(files: Sequence[Path], texts: dict[str, str], apply: Apply, tell: Tell) -> None:
    """For ever; ends by cancellation. `texts` is what runs; `apply` gives True when all was done."""
    from watchfiles import awatch

    known = dict(texts)
    watched = {file.absolute() for file in files}
    folders = {file.parent for file in watched}
    tell(f"watching {', '.join(str(file) for file in files)}")
    known = await _look(files, known, apply, tell)  # a file may have changed while everything started
    async for _ in awatch(
        *folders,
        watch_filter=lambda _, path: Path(path) in watched,
        debounce=QUIET_MS,
        step=LOOK_MS,
        recursive=False,
        # Looked at once a second all the same: some file systems tell of nothing, and an edit may come just before
        # the watching begins.
        rust_timeout=1000,
        yield_on_timeout=True,
    ):
        known = await _look(files, known, apply, tell)


async def _look(files: Sequence[Path], known: dict[str, str], apply: Apply, tell: Tell) -> dict[str, str]:
    """Applies what changed since; the texts as they are now."""
    try:
        texts = {str(file): file.read_bytes().decode("utf-8", "surrogateescape") for file in files}
    except OSError as error:
        tell(f"{error.filename}: cannot be read: {error.strerror}; what runs is left as it is")
        return known
    if texts == known:
        return known
    changed = ", ".join(name for name in texts if texts[name] != known.get(name))
    if problems := load_texts(texts).problems:
        for problem in problems:
            tell(str(problem))
        tell(f"{changed} changed and is not valid; what runs is left as it is")
        return texts
    tell(f"{changed} changed")
    started = time.monotonic()
    try:
        done = await apply(texts)
    except (PartError, OSError) as error:
        tell(f"not applied: {error}")
        return texts
    seconds = time.monotonic() - started
    tell(f"applied in {seconds:.1f} s" if done else f"not all of it could be applied ({seconds:.1f} s); see above")
    return texts
