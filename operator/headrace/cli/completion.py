"""What the shell offers for a half-typed name: from the state's records and documents, without asking a process.

A shell waits for it at each Tab, so it imports little, reads small files, and is silent when anything is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

DEFAULT_STATE = Path(".headrace")


def complete_pipeline(context: typer.Context, incomplete: str) -> list[str]:
    """Pipelines that the state knows."""
    return _matching((document["pipeline"] for document in _gateways(context)), incomplete)


def complete_topic(context: typer.Context, incomplete: str) -> list[str]:
    """Topics, `pipeline.topic` where several pipelines have them."""
    return _matching(_names(context, "topics"), incomplete)


def complete_stream(context: typer.Context, incomplete: str) -> list[str]:
    """What can be tailed: topics, views, `dlq`."""
    return _matching([*_names(context, "topics"), *_names(context, "views"), "dlq"], incomplete)


def _names(context: typer.Context, section: str) -> list[str]:
    documents = list(_gateways(context))
    if len(documents) == 1:
        return [entry["name"] for entry in documents[0][section]]
    return [f"{document['pipeline']}.{entry['name']}" for document in documents for entry in document[section]]


def _gateways(context: typer.Context) -> Iterator[dict[str, Any]]:
    state = Path(context.params.get("state") or DEFAULT_STATE)
    for file in sorted((state / "documents").glob("gateway-*.json")):
        try:
            yield json.loads(file.read_bytes())
        except (OSError, ValueError):
            continue


def _matching(names: Any, incomplete: str) -> list[str]:
    return sorted({name for name in names if name.startswith(incomplete)})
