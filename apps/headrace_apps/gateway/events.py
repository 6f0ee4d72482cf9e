"""`GET /v1/topics/{topic}/events`: a page of stored events, or with `Accept: text/event-stream` all that follow.

Both begin from a `Start` and go on from a cursor; both read committed records only.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

import orjson
from confluent_kafka import Message
from fastapi import Query, Request, Response
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from headrace.core.documents import GatewayDocument, GatewayTopic
from headrace_apps.gateway.cursor import CursorInvalid, Positions, parse_cursor, render_cursor
from headrace_apps.gateway.limits import Limits
from headrace_apps.gateway.offsets import BrokerOffsets, unreachable
from headrace_apps.gateway.problems import Problem
from headrace_apps.gateway.reading import Lease, ReaderPool
from headrace_apps.gateway.records import key_columns_of, registry_away, show_record, size_of
from headrace_apps.gateway.starts import MAX_OFFSET, Start, parse_start
from headrace_apps.gateway.tokens import Caller, Verifier, demand
from headrace_apps.records.decoder import Decoder
from headrace_apps.records.registry import RegistryAwayError

SLICE = 0.5
"""Seconds that a waiting read blocks at a time: how soon it sees that the client went or the process drains."""
STREAM_BATCH = 500
REGISTRY_PAUSE = 1.0
"""Seconds until a stream asks a registry again that was away."""


class Events:
    """The handlers; one per gateway. `now` is epoch seconds."""

    def __init__(
        self,
        document: GatewayDocument,
        verifier: Verifier,
        readers: ReaderPool,
        offsets: BrokerOffsets,
        *,
        decoders: Mapping[str, Decoder],
        limits: Limits,
        now: Callable[[], float],
    ) -> None:
        self._topics = {topic.name: topic for topic in document.topics}
        self._keys = {topic.name: key_columns_of(topic) for topic in document.topics}
        self._decoders = decoders
        self._verifier = verifier
        self._readers = readers
        self._offsets = offsets
        self._limits = limits
        self._now = now

    async def get(
        self,
        request: Request,
        topic: str,
        *,
        partition: Annotated[int | None, Query(ge=0, le=10**6)] = None,
        offset: Annotated[int | None, Query(ge=0, le=MAX_OFFSET)] = None,
        timestamp: Annotated[str | None, Query(max_length=64)] = None,
        from_: Annotated[Literal["earliest", "latest"] | None, Query(alias="from")] = None,
        cursor: Annotated[str | None, Query(max_length=100_000)] = None,
        limit: Annotated[int, Query(ge=1)] = 100,
        wait: Annotated[float, Query(ge=0, allow_inf_nan=False)] = 0.0,
    ) -> Response:
        """Both forms of the read, by the Accept header."""
        caller = await self._verifier.caller(request.headers.get("authorization"))
        known = self._topics.get(topic)
        if known is None:
            detail = f"There is no topic {topic[:100]!r}; there are: {', '.join(self._topics)}."
            raise Problem(404, "unknown-topic", detail)
        demand(caller, known.read_scopes)
        start = parse_start(partition=partition, offset=offset, timestamp=timestamp, edge=from_, cursor=cursor)
        if "text/event-stream" in request.headers.get("accept", ""):
            return await self._stream(known, start, request.headers.get("last-event-id"), caller)
        return await self._page(
            request, known, start, min(limit, self._limits.max_page), min(wait, self._limits.max_wait)
        )

    async def _page(self, request: Request, topic: GatewayTopic, start: Start, limit: int, wait: float) -> Response:
        loop = asyncio.get_running_loop()
        positions, ends = await self._begin(topic, start, default="earliest", wait=wait)
        if wait == 0 and ends is not None and all(positions[p] >= ends[p] for p in positions):
            return _page_of([], positions)
        lease = self._readers.lend(topic.kafka_topic, positions)
        try:
            await lease.stand(topic.kafka_topic, positions)
            messages: list[Message] = []
            room = self._limits.max_page_bytes
            behind = ends is not None and any(positions[p] < ends[p] for p in positions)
            deadline = loop.time() + (max(wait, self._limits.read_timeout) if behind else wait)
            while len(messages) < limit and room > 0:
                left = min(SLICE, deadline - loop.time())
                if left <= 0 or self._readers.draining.is_set() or await request.is_disconnected():
                    break
                more = await lease.read(limit - len(messages), room, left)
                messages += more
                room -= sum(map(size_of, more))
                if ends is not None and all(lease.positions[p] >= ends[p] for p in ends):
                    behind = False
                if messages and not behind:
                    break
                if not behind and wait == 0:
                    break
            if behind and not messages and not self._readers.draining.is_set():
                raise unreachable("no events came, although there are some")
            try:
                events = await self._shown(topic, messages)
            except RegistryAwayError as error:
                raise registry_away(error) from None
            return _page_of(events, lease.positions)
        finally:
            lease.release()

    async def _stream(
        self, topic: GatewayTopic, start: Start, last_event_id: str | None, caller: Caller | None
    ) -> Response:
        if last_event_id:
            start = Start(cursor=last_event_id)
        positions, _ = await self._begin(topic, start, default="latest", wait=0)
        lease = self._readers.lend(topic.kafka_topic, positions)
        return EventStream(self._follow(topic, lease, positions, caller), lease)

    async def _follow(
        self, topic: GatewayTopic, lease: Lease, start: Positions, caller: Caller | None
    ) -> AsyncIterator[bytes]:
        """Server-sent events until the client goes, its token expires or the process drains.

        Each `id` is the cursor after the event, so a client comes back, with a new token, to where it was.
        """
        loop = asyncio.get_running_loop()
        await lease.stand(topic.kafka_topic, start)
        positions = dict(start)
        yield b"retry: 1000\nid: " + render_cursor(positions).encode() + b"\n\n"
        spoke = loop.time()
        waiting: Sequence[Message] = ()
        while not self._readers.draining.is_set() and (caller is None or caller.is_good(self._now())):
            messages = waiting or await lease.read(STREAM_BATCH, self._limits.max_page_bytes, SLICE)
            if messages:
                try:
                    events = await self._shown(topic, messages)
                except RegistryAwayError:  # the stream stands still until the registry is back
                    waiting = messages
                    yield b": waiting for the schema registry\n\n"
                    await asyncio.sleep(REGISTRY_PAUSE)
                    continue
                waiting = ()
                yield b"".join([render_event(event, positions) for event in events])
                spoke = loop.time()
            elif loop.time() - spoke >= self._limits.heartbeat:
                # Without data no event is dispatched, but the client's last id moves past transaction markers.
                positions = dict(lease.positions)
                yield b": alive\nid: " + render_cursor(positions).encode() + b"\n\n"
                spoke = loop.time()

    async def _shown(self, topic: GatewayTopic, messages: Sequence[Message]) -> list[dict[str, Any]]:
        """As the API shows them; raises RegistryAwayError."""
        key_columns, decoder = self._keys[topic.name], self._decoders[topic.name]
        if not decoder.may_wait:
            return [show_record(message, key_columns, decoder) for message in messages]
        return await asyncio.get_running_loop().run_in_executor(
            self._readers.executor, lambda: [show_record(message, key_columns, decoder) for message in messages]
        )

    async def _begin(
        self, topic: GatewayTopic, start: Start, *, default: Literal["earliest", "latest"], wait: float
    ) -> tuple[dict[int, int], dict[int, int] | None]:
        """The positions to read from and, unless a reader stands there already, the ends as they are now."""
        name = topic.kafka_topic
        if start.partition is not None and start.partition >= topic.partitions:
            detail = f"The topic {topic.name} has the partitions 0 to {topic.partitions - 1}."
            raise Problem(422, "invalid-parameters", detail)
        partitions = range(topic.partitions) if start.partition is None else (start.partition,)
        positions: dict[int, int] | None = None
        if start.cursor is not None:
            try:
                positions = parse_cursor(start.cursor, topic.partitions)
            except CursorInvalid as exc:
                raise Problem(422, "invalid-cursor", f"The cursor cannot be used: {exc}.") from None
            if wait > 0 and self._readers.is_standing(name, positions):
                return positions, None
        elif start.offset is not None and start.partition is not None:
            positions = {start.partition: start.offset}
        ask = self._asked
        ends = await ask(self._offsets.latest, name, positions or partitions)
        if positions is not None:
            for partition, position in positions.items():
                if position > ends[partition]:
                    detail = f"Partition {partition} ends at {ends[partition]}; {position} is not there yet."
                    raise Problem(422, "offset-beyond-end", detail, end=ends[partition])
        elif start.timestamp is not None:
            positions = await ask(self._offsets.at, name, partitions, start.timestamp)
        elif (start.edge or default) == "latest":
            positions = dict(ends)
        else:
            positions = await ask(self._offsets.earliest, name, partitions)
        return positions, ends

    async def _asked(self, question: Callable[..., dict[int, int]], *arguments: Any) -> dict[int, int]:
        return await asyncio.get_running_loop().run_in_executor(self._readers.executor, question, *arguments)


class EventStream(StreamingResponse):
    """Gives the reader back however the response ends, also when the client went before the first byte."""

    def __init__(self, content: AsyncIterator[bytes], lease: Lease) -> None:
        # Proxies buffer by default, which a stream of single events does not survive.
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(content, media_type="text/event-stream", headers=headers)
        self._lease = lease

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._lease.release()


def _page_of(events: Sequence[dict[str, Any]], positions: Positions) -> Response:
    content = {"events": events, "next": render_cursor(positions)}
    return Response(orjson.dumps(content), media_type="application/json")


def render_event(event: dict[str, Any], positions: dict[int, int]) -> bytes:
    """One server-sent event; moves `positions` past the record and sends them as its id."""
    positions[event["partition"]] = event["offset"] + 1
    # A line feed would end the field; in stored JSON it can only stand between tokens, where a space means the same.
    data = orjson.dumps(event).replace(b"\n", b" ").replace(b"\r", b" ")
    return b"id: " + render_cursor(positions).encode() + b"\ndata: " + data + b"\n\n"
