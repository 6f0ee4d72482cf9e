"""`/healthz`: the process lives. `/readyz`: it can do its work, and if not, which part cannot. `/metrics`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Executor

import orjson
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from fastapi import Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from headrace.core.documents import GatewayDocument
from headrace_apps.gateway.metrics import Metrics
from headrace_apps.gateway.views.routes import View

FRESH = 1.0
"""Seconds that one look at the broker serves: probes may come from several places."""
PROBE_TIMEOUT = 3.0

Faults = dict[str, str]
"""The part that is not ready, and why."""


def missing_topics(admin: AdminClient, document: GatewayDocument) -> Faults:
    """Ask the broker for the document's topics; blocks for `PROBE_TIMEOUT` seconds at most."""
    try:
        there = admin.list_topics(timeout=PROBE_TIMEOUT).topics
    except KafkaException as exc:
        return {"kafka": exc.args[0].str()}
    wanted = [topic.kafka_topic for topic in document.topics] + [document.dead_letter_topic]
    return {f"topic {name}": "is not there" for name in wanted if name not in there}


class Health:
    """The handlers; one per gateway. `look` blocks and answers what is wrong with broker and topics."""

    def __init__(  # noqa: PLR0917 - the parts it looks at
        self,
        look: Callable[[], Faults],
        views: Mapping[str, View],
        metrics: Metrics,
        executor: Executor,
        in_flight: Callable[[], int],
        more: Callable[[], Faults] = dict,
    ) -> None:
        """`more`: what else is not ready (schema ids, lookups), without blocking."""
        self._more = more
        self._look = look
        self._views = views
        self._metrics = metrics
        self._executor = executor
        self._in_flight = in_flight
        self._faults: Faults = {}
        self._looked = float("-inf")
        self._lock = asyncio.Lock()

    async def healthz(self, _: Request) -> Response:
        return Response(b'{"status":"alive"}', media_type="application/json")

    async def readyz(self, _: Request) -> Response:
        faults = dict(await self._broker())
        for name, view in self._views.items():
            progress = view.follower.progress
            if not progress.restored:
                faults[f"view {name}"] = (
                    f"is being restored: {progress.applied} of {progress.to_apply} offsets are read"
                )
        faults |= self._more()
        content = {"ready": not faults, "faults": faults}
        return Response(orjson.dumps(content), 503 if faults else 200, media_type="application/json")

    async def metrics(self, _: Request) -> Response:
        self._metrics.in_flight.set(self._in_flight())
        for name, view in self._views.items():
            self._metrics.view_records.labels(name).set(view.store.count())
        return Response(generate_latest(self._metrics.registry), media_type=CONTENT_TYPE_LATEST)

    async def _broker(self) -> Faults:
        loop = asyncio.get_running_loop()
        async with self._lock:  # probes that come together share one look
            if loop.time() - self._looked >= FRESH:
                self._faults = await loop.run_in_executor(self._executor, self._look)
                self._looked = loop.time()
        return self._faults
