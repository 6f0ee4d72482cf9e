"""`headrace plan`: what a manifest comes to, and the difference to what runs, or to what the state's records tell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from headrace.core.diff import Observed, ObservedSubject, ObservedTopic, diff
from headrace.core.pipeline import Pipeline
from headrace.core.plan import Plan, plan
from headrace.core.text import render_plan, render_steps
from headrace.local.announce import LineAnnouncer
from headrace.local.control import NOTHING_RUNS, ask
from headrace.local.errors import PartError
from headrace.local.platform import local_platform
from headrace.local.ports import Ports
from headrace.local.site import Site
from headrace.local.state import Records


async def show_plan(pipelines: Sequence[Pipeline], texts: dict[str, str], state: Path) -> int:
    try:
        return int((await ask(state, {"do": "plan", "texts": texts}, typer.echo))["code"])
    except NOTHING_RUNS:
        pass
    except ConnectionError as error:
        raise PartError(f"the `headrace up` on {state} ended while it answered", "run this again") from error
    records = Records.read(state)
    # Nothing runs: addresses do not matter to the text, so no port is taken and no folder is made.
    site = Site(state, state, _NoPorts(state / "ports.json"), LineAnnouncer(typer.echo))
    for pipeline in pipelines:
        wanted = plan(pipeline, local_platform(site))
        typer.echo(render_plan(wanted))
        typer.echo(f"Nothing runs on {state}; `headrace up` would:")
        typer.echo(render_steps(diff(wanted, remembered(records, wanted))))
        if records.topics:
            typer.echo("The settings of topics that exist, and what else the broker holds, are known when it runs.")
    return 0


def remembered(records: Records, wanted: Plan) -> Observed:
    """What the records tell without a broker: who made which topic, what its deletion takes, what was registered.

    A topic's settings are not recorded: those that stay are taken to be as wanted. Nothing runs.
    """
    settings = {topic.name: (topic.partitions, dict(topic.config)) for topic in wanted.topics}
    return Observed(
        {
            name: ObservedTopic(*settings.get(name, (0, {})), record.owner, record.deletion_policy)
            for name, record in records.topics.items()
        },
        {
            name: ObservedSubject(record.definition, record.compatibility, record.owner)
            for name, record in records.subjects.items()
        },
    )


class _NoPorts(Ports):
    def port(self, name: str, prefer: int | None = None) -> int:  # noqa: ARG002 - the same shape
        return prefer or 1
