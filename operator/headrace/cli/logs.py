"""`headrace logs`: the parts' log files, each line with its part's name."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import typer

from headrace.local.processes.logs import last_lines

POLL = 0.3
WRONG_USAGE = 2


def show_logs(state: Path, parts: Sequence[str], lines: int, follow: bool) -> int:
    """Prints; returns the exit code. With `follow` it ends with Ctrl-C only."""
    folder = state.absolute() / "logs"
    known = sorted(file.stem for file in folder.glob("*.log"))
    chosen = [name for name in known if not parts or any(name == part or name.startswith(f"{part}-") for part in parts)]
    missing = [part for part in parts if not any(name == part or name.startswith(f"{part}-") for name in known)]
    if missing or not known:
        what = f"no log of {', '.join(missing)}" if missing else f"no logs in {folder}"
        typer.echo(f"{what}; there are: {', '.join(known) or 'none'}", err=True)
        return WRONG_USAGE
    width = max(len(name) for name in chosen)
    files = {name: folder / f"{name}.log" for name in chosen}
    read = {name: _size(file) for name, file in files.items()}
    for name, file in files.items():
        for line in last_lines(file, lines) if lines else ():
            typer.echo(f"{name:<{width}} │ {line}")
    while follow:
        time.sleep(POLL)
        for name, file in files.items():
            read[name] = _print_new(name, file, read[name], width)
    return 0


def _print_new(name: str, file: Path, start: int, width: int) -> int:
    """Prints whole lines after `start`; where to go on. A file that shrank was rotated: from its beginning.

    A file that is gone (its state folder was removed) is followed again from its beginning when it is back.
    """
    size = _size(file)
    try:
        with file.open("rb") as stream:
            stream.seek(start if start <= size else 0)
            at = stream.tell()
            content = stream.read()
    except FileNotFoundError:
        return 0
    end = content.rfind(b"\n") + 1
    for line in content[:end].decode(errors="replace").splitlines():
        typer.echo(f"{name:<{width}} │ {line}")
    return at + end


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0
