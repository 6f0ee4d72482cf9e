"""`POST /v1/topics/{topic}/events`: judge every event, store the good ones, say what became of each.

A request's events are judged before any is stored, and the answer waits for the broker's acknowledgement of all.
The route is a plain Starlette one: FastAPI's parameter machinery costs more per request than 50 events.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import orjson
from fastapi import Request, Response

from headrace.core.dead_letter import STAGE_GATEWAY, Origin, envelope_headers
from headrace.core.documents import GatewayDocument, GatewayTopic
from headrace_apps.gateway.bodies import MemoryBudget, at_capacity, read_body, split_events
from headrace_apps.gateway.decoding import decode_body
from headrace_apps.gateway.enrichment import ANYONE, Enricher, Moment
from headrace_apps.gateway.limits import Limits
from headrace_apps.gateway.lookups import LookupTable, demand_restored
from headrace_apps.gateway.metrics import Metrics, TopicMetrics
from headrace_apps.gateway.problems import Problem
from headrace_apps.gateway.producer import Delivery, EventProducer, NotStored, Record, Stored
from headrace_apps.gateway.records import registry_away
from headrace_apps.gateway.schema_ids import SchemaIds
from headrace_apps.gateway.tokens import Verifier, demand
from headrace_apps.gateway.validation import Accepted, Judge, Refused, judge_of
from headrace_apps.records.registry import RegistryAwayError

REQUEST_ID = "X-Request-Id"
_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")

JUDGED_AT_ONCE = 500
"""Events between two turns of the loop (a few milliseconds), so that a large batch does not hold up the others."""


class Status(StrEnum):
    ACCEPTED = "accepted"
    REFUSED = "refused"
    DEAD_LETTERED = "dead_lettered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Intake:
    """One topic that takes events."""

    topic: GatewayTopic
    scopes: tuple[str, ...]
    dead_letters: bool
    judge: Judge
    metrics: TopicMetrics
    encoded: bool
    """Stored behind the registry's prefix."""
    tables: Mapping[str, LookupTable]


class Ingest:
    """The route's handler; one per gateway."""

    def __init__(
        self,
        document: GatewayDocument,
        producer: EventProducer,
        verifier: Verifier,
        *,
        metrics: Metrics,
        limits: Limits,
        now: Callable[[], float],
        new_id: Callable[[], str],
        schema_ids: SchemaIds,
        tables: Mapping[str, LookupTable],
    ) -> None:
        """`new_id` makes request ids; `tables` are those of the enrichments' lookups, by topic."""
        self._new_id = new_id
        self._schema_ids = schema_ids
        self._document = document
        self._producer = producer
        self._verifier = verifier
        self._limits = limits
        self._now = now
        self._memory = MemoryBudget(limits)
        self._topics = {topic.name: topic for topic in document.topics}
        self._intakes: dict[str, Intake] = {}
        for topic in document.topics:
            if topic.ingest is not None:
                dead_letters = topic.ingest.on_invalid == "DeadLetter"
                enrich = topic.ingest.enrich
                enricher = Enricher(enrich, topic.columns, tables) if enrich else None
                used = {step.lookup.topic for step in enrich if step.lookup is not None}
                self._intakes[topic.name] = Intake(
                    topic,
                    topic.ingest.scopes,
                    dead_letters,
                    judge_of(topic, limits, enricher),
                    metrics.of_topic(topic.name),
                    encoded=topic.schema_ is not None and topic.schema_.format != "JSON",
                    tables={name: tables[name] for name in used},
                )

    async def __call__(self, request: Request) -> Response:
        """Raises Problem for everything that is not 200 or 202. Each answer carries the request's id."""
        request_id = request_id_of(request.headers.get("x-request-id")) or self._new_id()
        try:
            response = await self._take(request, request_id)
        except Problem as problem:
            problem.headers[REQUEST_ID] = request_id
            raise
        response.headers[REQUEST_ID] = request_id
        return response

    async def _take(self, request: Request, request_id: str) -> Response:
        caller = await self._verifier.caller(request.headers.get("authorization"))
        intake = self._intake(request.path_params["topic"])
        demand(caller, intake.scopes)
        prefix = self._schema_ids.prefix(intake.topic.name) if intake.encoded else b""
        demand_restored(intake.tables)
        moment = Moment(int(self._now() * 1000), request_id, caller.subject if caller else ANYONE)
        with self._memory.share() as take:
            body = await read_body(request, self._limits, take)
            encoding = request.headers.get("content-encoding")
            # In a thread: a hostile body of ten megabytes keeps a decompressor busy for seconds.
            plain = await asyncio.to_thread(decode_body, body, encoding, self._limits) if encoding else body
            if plain is not body:
                take(len(plain))
            events, _ = split_events(plain, request.headers.get("content-type"), self._limits)
            if self._producer.in_flight + len(events) > self._limits.max_events_in_flight:
                raise at_capacity("events")
            verdicts = await self._judge(intake, events, moment)
            deliveries = await self._store(intake, verdicts, prefix)
        return self._answer(intake, verdicts, deliveries)

    def _intake(self, name: str) -> Intake:
        intake = self._intakes.get(name)
        if intake is not None:
            return intake
        if name in self._topics:
            detail = f"The topic {name} takes no events over HTTP; its manifest has no ingest for it."
            raise Problem(405, "not-ingested", detail, headers={"Allow": "GET"})
        known = ", ".join(self._intakes) or "none"
        raise Problem(404, "unknown-topic", f"There is no topic {name[:100]!r}; these take events: {known}.")

    async def _judge(self, intake: Intake, events: Sequence[bytes], moment: Moment) -> list[Accepted | Refused]:
        judge = intake.judge.judge
        if intake.tables:
            # In a thread: a lookup reads from disk, and may have to ask the registry what a record means.
            try:
                return await asyncio.to_thread(lambda: [judge(raw, moment) for raw in events])
            except RegistryAwayError as error:
                raise registry_away(error) from None
        if len(events) <= JUDGED_AT_ONCE:
            return [judge(raw, moment) for raw in events]
        verdicts: list[Accepted | Refused] = []
        for start in range(0, len(events), JUDGED_AT_ONCE):
            verdicts += [judge(raw, moment) for raw in events[start : start + JUDGED_AT_ONCE]]
            await asyncio.sleep(0)
        return verdicts

    async def _store(
        self, intake: Intake, verdicts: Sequence[Accepted | Refused], prefix: bytes
    ) -> Sequence[Delivery | None]:
        """The delivery of each verdict; None for what is refused and not dead-lettered."""
        began = self._now()
        millis = int(began * 1000)
        kafka_topic = intake.topic.kafka_topic
        schema = intake.topic.schema_
        headers: list[tuple[str, bytes | str | None]] = [("headrace.accepted", str(millis).encode())]
        if schema is not None:
            headers.insert(0, ("headrace.schema", schema.identity.encode()))
        records: list[Record] = []
        for verdict in verdicts:
            if type(verdict) is Accepted:
                records.append(
                    Record(kafka_topic, verdict.key, prefix + verdict.raw if prefix else verdict.raw, headers)
                )
            elif intake.dead_letters and isinstance(verdict, Refused):
                records.append(self._dead_letter(kafka_topic, verdict, began))
        if not records:
            return [None] * len(verdicts)
        stored = await self._producer.store(records, millis)
        intake.metrics.ack_seconds.observe(max(0.0, self._now() - began))
        if len(stored) == len(verdicts):
            return stored
        rest = iter(stored)
        return [next(rest) if type(v) is Accepted or intake.dead_letters else None for v in verdicts]

    def _dead_letter(self, kafka_topic: str, refused: Refused, at: float) -> Record:
        headers = envelope_headers(
            None,
            stage=STAGE_GATEWAY,
            reason=refused.reason,
            error=refused.text,
            origin=Origin(kafka_topic),
            time=datetime.fromtimestamp(at, UTC),
        )
        return Record(self._document.dead_letter_topic, None, refused.raw, headers)

    def _answer(
        self, intake: Intake, verdicts: Sequence[Accepted | Refused], deliveries: Sequence[Delivery | None]
    ) -> Response:
        results = [
            result_of(index, verdict, delivery)
            for index, (verdict, delivery) in enumerate(zip(verdicts, deliveries, strict=True))
        ]
        counts = Counter([result["status"] for result in results])
        for status, count in counts.items():
            intake.metrics.events[status].inc(count)
        content: dict[str, Any] = {
            "topic": intake.topic.name,
            "accepted": counts[Status.ACCEPTED],
            "refused": counts[Status.REFUSED],
            "deadLettered": counts[Status.DEAD_LETTERED],
            "failed": counts[Status.FAILED],
            "results": results,
        }
        if counts[Status.FAILED]:
            raise self._outage(content)
        if counts[Status.REFUSED] == len(results):
            first = results[0]["errors"][0]
            where = f"{first['pointer']}: " if first["pointer"] else ""
            detail = f"No event was stored. The first reason: {where}{first['message']}"
            raise Problem(422, "invalid-events", detail, **content)
        status = 202 if counts[Status.DEAD_LETTERED] else 200
        return Response(orjson.dumps(content), status, media_type="application/json")

    def _outage(self, content: Mapping[str, Any]) -> Problem:
        detail = (
            f"{content['failed']} of {len(content['results'])} events were not acknowledged by Kafka"
            f"{': ' + self._producer.outage if self._producer.outage else ''}. Send those again with the same ids: "
            "an event that was stored after all is counted once by exactly-once jobs and by sinks."
        )
        return Problem(503, "not-acknowledged", detail, headers={"Retry-After": "5"}, **content)


def request_id_of(header: str | None) -> str | None:
    """The caller's own id of its request, when it is one that a log and a header can carry."""
    return header if header is not None and _REQUEST_ID.fullmatch(header) else None


def result_of(index: int, verdict: Accepted | Refused, delivery: Delivery | None) -> dict[str, Any]:
    """What the caller is told about one event."""
    if type(verdict) is Accepted:
        if type(delivery) is Stored:
            return {
                "index": index,
                "status": "accepted",
                "partition": delivery.partition,
                "offset": delivery.offset,
            }
        assert isinstance(delivery, NotStored)  # noqa: S101 - an accepted event was handed to the producer
        status = Status.REFUSED if delivery.too_large else Status.FAILED
        return {"index": index, "status": status, "errors": [{"pointer": "", "message": delivery.message}]}
    assert isinstance(verdict, Refused)  # noqa: S101
    errors = [error.as_json() for error in verdict.errors]
    if delivery is None:
        return {"index": index, "status": Status.REFUSED, "errors": errors}
    if isinstance(delivery, NotStored) and delivery.too_large:
        # It will never fit into the dead letters either: refused, or its sender would try for ever.
        return {"index": index, "status": Status.REFUSED, "errors": errors}
    status = Status.DEAD_LETTERED if isinstance(delivery, Stored) else Status.FAILED
    return {"index": index, "status": status, "errors": errors}
