"""What `up` prints when a gateway serves: its URLs and a first event, ready to paste with a token."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable

from headrace.cli.example_events import first_event
from headrace.local.keys import sign_token
from headrace.local.run import LocalRun

TOKEN_SECONDS = 3600


def invitation(run: LocalRun, pipeline: str, url: str, clock: Callable[[], float] = time.time) -> list[str]:
    """Lines for a person."""
    document = run.plan_of(run.pipelines[pipeline]).gateway.document
    lines = [f"{pipeline} is served at {url}   (its API: {url}/openapi.json)"]
    topic = next((topic for topic in document.topics if topic.ingest), None)
    if topic is None or topic.ingest is None:
        return lines
    token = sign_token(run.site.state, [*topic.ingest.scopes, *topic.read_scopes], TOKEN_SECONDS)
    event, fits = first_event(topic, clock())
    return [
        *lines,
        "Send a first event" + ("" if fits else ", changed so that it fits the schema") + " (valid for an hour):",
        f"  curl -sS {url}/v1/topics/{topic.name}/events -H 'Content-Type: application/json' \\",
        f"    -H 'Authorization: Bearer {token}' \\",
        f"    -d {shlex.quote(json.dumps(event, ensure_ascii=False))}",
        f"or, in this folder: headrace send {topic.name} --count 100 --rate 10/s; headrace tail {topic.name} -f",
    ]
