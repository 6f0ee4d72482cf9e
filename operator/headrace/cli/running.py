"""Commands that talk to the `up` that runs on a state: `status` and `down`."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from headrace.local.control import NOTHING_RUNS, ask
from headrace.local.errors import PartError
from headrace.local.state import StateLock

NOT_RUNNING = 1
DOWN_SECONDS = 120.0


async def take_down(state: Path) -> int:
    """Returns when everything has stopped; also 0 when nothing ran."""
    try:
        await ask(state, {"do": "stop"}, typer.echo)
    except NOTHING_RUNS:
        if await asyncio.to_thread(_is_held, state):
            typer.echo(f"`headrace up` runs on {state} but does not answer; stop it with Ctrl-C", err=True)
            return 3
        typer.echo(f"nothing runs on {state}")
        return 0
    except ConnectionError:
        pass  # it was ending already when it was asked; the lock tells when it has
    deadline = asyncio.get_running_loop().time() + DOWN_SECONDS
    while not (lock := StateLock(state)).take():
        if asyncio.get_running_loop().time() > deadline:
            typer.echo(f"still stopping after {DOWN_SECONDS:.0f} s; see `headrace status`", err=True)
            return 3
        await asyncio.sleep(0.2)
    lock.release()
    typer.echo("stopped")
    return 0


def _is_held(state: Path) -> bool:
    """Whether an `up` holds the state. A folder that is not there is held by nobody, and is not made by asking."""
    if not state.exists():
        return False
    lock = StateLock(state)
    free = lock.take()
    lock.release()
    return not free


async def show_status(state: Path, as_json: bool) -> int:
    """1 when nothing runs."""
    try:
        answer = await ask(state, {"do": "status"}, partial(typer.echo, err=True))
    except NOTHING_RUNS:
        typer.echo(json.dumps({"running": False}) if as_json else f"nothing runs on {state}")
        return NOT_RUNNING
    except ConnectionError as error:
        raise PartError(str(error), "ask again") from error
    if "status" not in answer:
        return int(answer["code"])
    status = answer["status"]
    if as_json:
        typer.echo(json.dumps(status, indent=2))
    else:
        _draw(status, Console())
    return 0


def _draw(status: dict[str, Any], console: Console) -> None:
    parts = Table("part", "state", "pid", "restarts", "memory", box=None, pad_edge=False)
    for part in status["parts"]:
        memory = decimal(part["residentBytes"]) if part["residentBytes"] else ""
        parts.add_row(part["name"], part["state"], str(part["pid"] or ""), str(part["restarts"]), memory)
    console.print(parts)
    console.print()
    resources = Table("resource", "state", "", box=None, pad_edge=False)
    for resource in status["resources"]:
        resources.add_row(resource["id"], resource["state"], resource["detail"].split("\n", 1)[0])
    console.print(resources)
    console.print()
    addresses = status["addresses"]
    for name, url in addresses["gateways"].items():
        console.print(f"gateway of {name}: {url}", highlight=False)
    for name in ("kafka", "registry", "flink", "snowflake"):
        if addresses[name]:
            console.print(f"{name}: {addresses[name]}", highlight=False)
