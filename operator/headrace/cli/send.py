"""`headrace send`: events into a topic through the running gateway, in batches, with what became of each."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import httpx
import typer

from headrace.cli.event_files import NotEventsError, read_events
from headrace.cli.example_events import example_events
from headrace.cli.pipelines import RunningPipeline, find_pipelines
from headrace.cli.progress import Progress
from headrace.core.documents import GatewayTopic
from headrace.core.problems import shorten
from headrace.local.errors import PartError
from headrace.local.keys import jwks_file, sign_token
from headrace.local.loopback import NO_AUTHORITIES
from headrace_apps.dead_letters.pace import Pace

TRIES = 5
TOKEN_SECONDS = 24 * 3600
SHOWN_REFUSALS = 10
REFUSED = 1


@dataclass
class Sent:
    """`refusals`: event number (from 1) and why, the first few."""

    counts: Counter[str] = field(default_factory=Counter)
    refusals: list[tuple[int, str, str]] = field(default_factory=list)
    last: str = ""

    @property
    def total(self) -> int:
        return self.counts.total()


class TopicIntake:
    """The gateway's door for one topic. Raises PartError when it stays away."""

    def __init__(
        self,
        pipeline: RunningPipeline,
        topic: GatewayTopic,
        token: str,
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._url = f"{pipeline.gateway_url}/v1/topics/{topic.name}/events"
        self._sleep = sleep
        self._client = httpx.Client(
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson"},
            timeout=60,
            trust_env=False,
            verify=NO_AUTHORITIES,
            transport=transport,
        )

    def send(self, events: list[bytes], first: int, sent: Sent) -> None:
        """One batch; `first` is the number of its first event. What Kafka did not acknowledge is sent again."""
        left = list(enumerate(events, first))
        for attempt in range(TRIES):
            results, wait = self._post([raw for _, raw in left])
            failed = [left[result["index"]] for result in results if result["status"] == "failed"]
            for result in results:
                if result["status"] != "failed":
                    self._note(sent, left[result["index"]][0], result)
            left = failed if results else left
            if not left:
                return
            if attempt + 1 < TRIES:
                self._sleep(wait)
        raise PartError(
            f"{len(left)} events were not stored: {self._url} does not answer, or says that Kafka is away",
            "look at `headrace status`; the same events can be sent again, their id tells them",
        )

    def _post(self, events: list[bytes]) -> tuple[list[dict[str, Any]], float]:
        """Each event's result, and how long to wait before what failed is tried again. None yet: ([], seconds)."""
        try:
            answer = self._client.post(self._url, content=b"\n".join(events))
        except httpx.HTTPError:
            return [], 1.0  # it may be restarting
        wait = float(answer.headers.get("Retry-After", "1"))
        content = answer.json() if "json" in answer.headers.get("Content-Type", "") else {}
        if "results" in content:
            return content["results"], min(wait, 5.0)
        if answer.status_code in (429, 502, 503):
            return [], min(wait, 5.0)
        raise PartError(f"{self._url} answers {answer.status_code}: {content.get('detail', shorten(answer.text))}")

    @staticmethod
    def _note(sent: Sent, number: int, result: dict[str, Any]) -> None:
        sent.counts[result["status"]] += 1
        if result["status"] == "accepted":
            sent.last = f"partition {result['partition']}, offset {result['offset']}"
        elif len(sent.refusals) < SHOWN_REFUSALS:
            errors = result.get("errors") or [{"pointer": "", "message": "no reason given"}]
            why = "; ".join(f"{error['pointer']}: {error['message']}".removeprefix(": ") for error in errors)
            sent.refusals.append((number, result["status"], why))


def send_events(state: Path, name: str, file: Path | None, count: int | None, rate: float | None) -> int:
    """1 when an event was refused or dead-lettered; raises PartError when the gateway is away."""
    pipeline, topic = find_pipelines(state).topic(name)
    if topic.ingest is None:
        ways = [other.name for other in pipeline.gateway.topics if other.ingest]
        raise typer.BadParameter(
            f"{topic.name} takes no events over HTTP (its manifest has no ingest for it); these do: {', '.join(ways)}",
            param_hint="TOPIC",
        )
    if not jwks_file(state.absolute()).exists():
        raise PartError(f"{state} holds no key for tokens", "name the folder of the running `headrace up` with --state")
    token = sign_token(state.absolute(), topic.ingest.scopes, TOKEN_SECONDS)
    intake = TopicIntake(pipeline, topic, token)
    with ExitStack() as stack:
        if file is None:
            events: Iterator[bytes] = example_events(topic, time.time)
            count = count or 1  # made-up events have no end
        else:
            events = read_events(_opened(file, stack))
        sent = Sent()
        try:
            send_paced(islice(events, count), intake, sent, Pace(rate, time.monotonic, time.sleep))
        except NotEventsError as error:
            raise typer.BadParameter(f"{file} {error}", param_hint="FILE") from error
        finally:
            _tell(sent, topic.name)
    return 0 if sent.total == sent.counts["accepted"] else REFUSED


def send_paced(events: Iterable[bytes], intake: TopicIntake, sent: Sent, pace: Pace) -> None:
    """All of them, batch by batch."""
    progress = Progress(lambda number: f"… {number:,} events sent")
    rest, number = iter(events), 1
    while batch := list(islice(rest, pace.batch)):
        pace.wait(len(batch))
        intake.send(batch, number, sent)
        number += len(batch)
        progress(number - 1)


def _opened(file: Path, stack: ExitStack) -> BinaryIO:
    if str(file) == "-":
        return sys.stdin.buffer
    try:
        return stack.enter_context(file.open("rb"))
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}", param_hint="FILE") from error


def _tell(sent: Sent, topic: str) -> None:
    words = {"accepted": "accepted", "refused": "refused", "dead_lettered": "dead-lettered"}
    counts = [f"{sent.counts[status]:,} {word}" for status, word in words.items() if sent.counts[status]]
    where = f" (the last: {sent.last})" if sent.last else ""
    typer.echo(f"{topic}: {', '.join(counts) or 'no events'}{where}")
    for number, status, why in sent.refusals:
        typer.echo(f"  event {number} {words.get(status, status)}: {shorten(why, 300)}", err=True)
    more = sent.total - sent.counts["accepted"] - len(sent.refusals)
    if more > 0:
        typer.echo(f"  … and {more:,} more", err=True)
