"""What is sent for a letter, or why nothing can be: decided before anything is written. Pure.

A letter of a job or a sink goes back as it was read: key, value and headers, byte by byte. Two kinds are judged first,
by the gateway's own rule for the topic: what the gateway refused, which has never been an event, and what a patch made
of a value. Judging gives them their key, too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from headrace.core.dead_letter import STAGE_GATEWAY, resent_headers
from headrace.core.documents import GatewayDocument, GatewayTopic
from headrace_apps.dead_letters.correction import Correction, NotApplicableError
from headrace_apps.dead_letters.letter import Letter
from headrace_apps.gateway.enrichment import Enricher, Moment
from headrace_apps.gateway.limits import Limits
from headrace_apps.gateway.validation import Accepted, Judge, judge_of
from headrace_apps.inspection.values import UndecodableError, Values, read_json
from headrace_apps.records.registry import Registry
from headrace_apps.records.wire import render_prefix


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record for `topic`, instead of `letter`."""

    letter: Letter
    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Kept:
    """A letter that stays as it is, and why."""

    letter: Letter
    why: str


class Preparation:
    """For the letters of one pipeline. `known`: the topics that the broker has; `now` gives epoch seconds.

    `registry` is for tests; else the document's.
    """

    def __init__(
        self,
        document: GatewayDocument,
        known: frozenset[str],
        correction: Correction | None,
        now: Callable[[], float],
        *,
        external: bool = False,
        registry: Registry | None = None,
    ) -> None:
        self._topics: Mapping[str, GatewayTopic] = {topic.kafka_topic: topic for topic in document.topics}
        self._own_prefix = document.dead_letter_topic.removesuffix("dead-letters")
        self._known = known
        self._correction = correction
        self._now = now
        self._external = external
        self._values = Values(document, registry)
        self._judges: dict[str, Judge] = {}
        self._prefixes: dict[str, bytes] = {}

    def prepare(self, letter: Letter) -> Outgoing | Kept:
        """What cannot be sent is kept, with why. Raises UnreadableError only, when the registry is away."""
        topic = self._topics.get(letter.topic)
        if topic is None:
            return Kept(letter, f"the pipeline has no topic {letter.topic or '(none named)'} any more")
        if letter.topic not in self._known:
            return Kept(letter, f"the broker has no topic {letter.topic}")
        if not letter.topic.startswith(self._own_prefix) and not self._external:
            return Kept(letter, f"{letter.topic} is not the pipeline's own topic; --external sends there all the same")
        headers = resent_headers(letter.record.headers, letter.attempt, letter.place)
        if letter.stage != STAGE_GATEWAY and self._correction is None:
            return Outgoing(letter, letter.topic, letter.record.key, letter.record.value, headers)
        return self._judged(letter, topic, headers)

    def _judged(self, letter: Letter, topic: GatewayTopic, headers: list[tuple[str, bytes | None]]) -> Outgoing | Kept:
        raw = letter.record.value or b""
        if self._correction is not None:
            try:
                corrected = self._correction.apply(letter_value(letter, self._values))
            except (NotApplicableError, UndecodableError) as error:
                return Kept(letter, str(error))
            raw = json.dumps(corrected, separators=(",", ":"), ensure_ascii=False).encode()
        now = int(self._now() * 1000)
        refused = letter.stage == STAGE_GATEWAY
        # What a job or a sink had read was enriched when it was taken in.
        moment = Moment(now, f"redrive-{letter.place}", "headrace dlq") if refused else None
        verdict = self._judge(topic).judge(raw, moment)
        if not isinstance(verdict, Accepted):
            return Kept(letter, f"is not valid for {topic.name}: {verdict.text}")
        prefix = self._prefix(topic)
        if prefix is None:
            return Kept(letter, f"the registry does not have the schema of {topic.name}; `headrace up` registers it")
        if refused:
            # It becomes an event only now, so the gateway's own headers are given to it here.
            identity = [("headrace.schema", topic.schema_.identity.encode())] if topic.schema_ else []
            headers = [*identity, ("headrace.accepted", str(now).encode()), *headers]
        return Outgoing(letter, letter.topic, verdict.key, prefix + verdict.raw, headers)

    def _judge(self, topic: GatewayTopic) -> Judge:
        """Without lookups: their tables are the gateway's. A field that only a lookup gives is for a patch."""
        if topic.name not in self._judges:
            declared = topic.ingest.enrich if topic.ingest else ()
            enricher = Enricher([step for step in declared if step.source != "Lookup"], topic.columns, {})
            self._judges[topic.name] = judge_of(topic, Limits(), enricher)
        return self._judges[topic.name]

    def _prefix(self, topic: GatewayTopic) -> bytes | None:
        """What stands before an encoded value; None when the registry has no id for the topic's schema."""
        if topic.schema_ is None or topic.schema_.format == "JSON":
            return b""
        if topic.name not in self._prefixes:
            found = self._values.schema_id(topic.schema_)
            if found is None:
                return None
            self._prefixes[topic.name] = render_prefix(found)
        return self._prefixes[topic.name]


def letter_value(letter: Letter, values: Values) -> Any:
    """The letter's value as JSON. Raises UndecodableError."""
    if letter.record.value is None:
        return None
    if letter.stage == STAGE_GATEWAY:
        return read_json(letter.record.value)  # as it was sent over HTTP, whatever the topic's format
    return values.read(letter.topic, letter.record.value)
