"""The registry's id of each schema that ingest writes with. While one is not known, the gateway is not ready.

The id is asked for in the background until it is there; what the registry once said stays true.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from concurrent.futures import Executor

from headrace.core.documents import GatewayDocument, SchemaRef
from headrace_apps.gateway.problems import Problem
from headrace_apps.records.registry import Registry, RegistryAwayError
from headrace_apps.records.wire import render_prefix

ASK_AGAIN = 1.0
"""Seconds."""

log = logging.getLogger(__name__)


def encoded_schemas(document: GatewayDocument) -> dict[str, SchemaRef]:
    """The schemas that ingest writes with, by topic: all but JSON's."""
    return {
        topic.name: topic.schema_
        for topic in document.topics
        if topic.ingest is not None and topic.schema_ is not None and topic.schema_.format != "JSON"
    }


class SchemaIds:
    """`schemas` by topic; start it in the running loop."""

    def __init__(self, schemas: Mapping[str, SchemaRef], registry: Registry | None, executor: Executor) -> None:
        self._schemas = schemas
        self._registry = registry
        self._executor = executor
        self._prefixes: dict[str, bytes] = {}
        self._why: dict[str, str] = dict.fromkeys(schemas, "its id has not been asked for yet")
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._ask())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def faults(self) -> dict[str, str]:
        """The schemas whose id is not known, and why."""
        return {f"schema {self._schemas[topic].subject}": why for topic, why in self._why.items()}

    def prefix(self, topic: str) -> bytes:
        """What stands before each payload. Raises Problem 503 while the id is not known."""
        try:
            return self._prefixes[topic]
        except KeyError:
            detail = f"The schema of {topic} has no id yet, so nothing of this request was stored: {self._why[topic]}."
            raise Problem(503, "schema-id-unknown", detail, headers={"Retry-After": "2"}) from None

    async def _ask(self) -> None:
        loop = asyncio.get_running_loop()
        while self._why and self._registry is not None:
            for topic in list(self._why):
                schema = self._schemas[topic]
                try:
                    found = await loop.run_in_executor(self._executor, self._registry.id_of, schema)
                except RegistryAwayError as error:
                    self._say(topic, str(error))
                    continue
                if found is None:
                    self._say(topic, f"the registry has no such schema under {schema.subject}")
                    continue
                self._prefixes[topic] = render_prefix(found)
                del self._why[topic]
            if self._why:
                await asyncio.sleep(ASK_AGAIN)

    def _say(self, topic: str, why: str) -> None:
        if self._why[topic] != why:  # an outage is said once, not every second
            log.warning("topic %s takes no events yet: %s", topic, why)
            self._why[topic] = why
