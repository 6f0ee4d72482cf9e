"""Arguments that several commands share."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

Files = Annotated[
    list[Path],
    typer.Option("-f", "--file", metavar="FILE", help="A manifest; repeat for several. `-` is standard input."),
]
State = Annotated[Path, typer.Option("--state", metavar="DIR", help="The folder that keeps data, logs and ports.")]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]
DEFAULT_STATE = Path(".headrace")

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_seconds(text: str) -> int:
    """`90s`, `1h30m`, `7d` in seconds."""
    if not re.fullmatch(r"(\d+[smhd])+", text):
        raise typer.BadParameter(f"{text!r} is no duration; say 30s, 15m, 1h or 7d")
    return sum(int(count) * _UNITS[unit] for count, unit in re.findall(r"(\d+)([smhd])", text))


def parse_time(text: str, now: datetime) -> datetime:
    """`15m` (so long before `now`) or an RFC 3339 time; without an offset it is UTC."""
    if re.fullmatch(r"(\d+[smhd])+", text):
        return now - timedelta(seconds=parse_seconds(text))
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no time; say 15m, 2h (ago) or 2026-11-22T10:00:00Z") from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def parse_rate(text: str) -> float:
    """`50` or `50/s`, `600/m`, as events a second."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(?:/([smh]))?", text)
    if match is None or float(match[1]) <= 0:
        raise typer.BadParameter(f"{text!r} is no rate; say 50/s or 600/m")
    return float(match[1]) / _UNITS[match[2] or "s"]
