"""`headrace plan`: what a manifest comes to, and the difference to what runs on the state (or to nothing)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from headrace.core.diff import Observed, diff
from headrace.core.pipeline import Pipeline
from headrace.core.plan import plan
from headrace.core.text import render_plan, render_steps
from headrace.local.announce import LineAnnouncer
from headrace.local.control import NOTHING_RUNS, ask
from headrace.local.errors import PartError
from headrace.local.platform import local_platform
from headrace.local.ports import Ports
from headrace.local.site import Site


async def show_plan(pipelines: Sequence[Pipeline], texts: dict[str, str], state: Path) -> int:
    try:
        return int((await ask(state, {"do": "plan", "texts": texts}, typer.echo))["code"])
    except NOTHING_RUNS:
        pass
    except ConnectionError as error:
        raise PartError(f"the `headrace up` on {state} ended while it answered", "run this again") from error
    # Nothing runs: addresses do not matter to the text, so no port is taken and no folder is made.
    site = Site(state, state, _NoPorts(state / "ports.json"), LineAnnouncer(typer.echo))
    for pipeline in pipelines:
        wanted = plan(pipeline, local_platform(site))
        typer.echo(render_plan(wanted))
        typer.echo(f"Nothing runs on {state}; `headrace up` would:")
        typer.echo(render_steps(diff(wanted, Observed())))
    return 0


class _NoPorts(Ports):
    def port(self, name: str, prefer: int | None = None) -> int:  # noqa: ARG002 - the same shape
        return prefer or 1
