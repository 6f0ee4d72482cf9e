"""Scopes of a token from topics: `clicks` belongs to the state's only pipeline, `shop.clicks` names its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from headrace.local.state import Records


def scopes_for(state: Path, topics: Sequence[str], *, write: bool, read: bool) -> list[str]:
    """`<pipeline>.<topic>:<verb>` for each topic and verb."""
    verbs = [verb for verb, wanted in (("write", write), ("read", read)) if wanted]
    if topics and not verbs:
        raise typer.BadParameter("say --write, --read or both", param_hint="--topic")
    return [f"{_qualified(state, topic)}:{verb}" for topic in topics for verb in verbs]


def _qualified(state: Path, topic: str) -> str:
    if "." in topic:
        return topic
    pipelines = Records.read(state.absolute()).pipelines
    if len(pipelines) != 1:
        known = f"{state} knows {', '.join(pipelines)}" if pipelines else f"{state} knows no pipeline yet"
        raise typer.BadParameter(f"{known}; write pipeline.{topic}", param_hint="--topic")
    return f"{pipelines[0]}.{topic}"
