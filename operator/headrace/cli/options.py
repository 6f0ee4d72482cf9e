"""Arguments that several commands share."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

Files = Annotated[
    list[Path],
    typer.Option("-f", "--file", metavar="FILE", help="A manifest; repeat for several. `-` is standard input."),
]
State = Annotated[Path, typer.Option("--state", metavar="DIR", help="The folder that keeps data, logs and ports.")]
DEFAULT_STATE = Path(".headrace")

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_seconds(text: str) -> int:
    """`90s`, `1h30m`, `7d` in seconds."""
    if not re.fullmatch(r"(\d+[smhd])+", text):
        raise typer.BadParameter(f"{text!r} is no duration; say 30s, 15m, 1h or 7d")
    return sum(int(count) * _UNITS[unit] for count, unit in re.findall(r"(\d+)([smhd])", text))
