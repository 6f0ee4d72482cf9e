"""Subjects of the registry, through Confluent's API: observed, and steps applied.

The order within a subject: its compatibility is set before a version is registered, so that the very first version
is already held to it. A registry that wants a schema first is met by setting it again afterwards.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import quote

import httpx

from headrace.core.diff import Action, ObservedSubject, Step
from headrace.core.plan import Subject
from headrace.core.schema import canonical_text
from headrace.local.errors import PartError
from headrace.local.loopback import loopback_client
from headrace.local.state import SubjectRecord
from headrace.registry.compatibility import check, reason_of

CONFLICT = 409


class Subjects:
    def __init__(self, url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._url = url
        self._transport = transport

    def _client(self) -> httpx.AsyncClient:
        return loopback_client(base_url=self._url, transport=self._transport)

    async def observe(self, records: dict[str, SubjectRecord]) -> dict[str, ObservedSubject]:
        """Every subject's newest version. Raises OSError when the registry does not answer."""
        try:
            async with self._client() as client:
                names = (await client.get("/subjects")).raise_for_status().json()
                return {name: await self._one(client, name, records) for name in names}
        except httpx.HTTPError as error:
            raise OSError(f"the registry does not answer: {error or type(error).__name__}") from error

    async def _one(self, client: httpx.AsyncClient, name: str, records: dict[str, SubjectRecord]) -> ObservedSubject:
        path = quote(name, safe="")
        version = (await client.get(f"/subjects/{path}/versions/latest")).raise_for_status().json()
        level = await client.get(f"/config/{path}")
        compatibility = level.json().get("compatibilityLevel") if level.is_success else None
        record = records.get(name)
        definition = canonical_text(version["schema"])
        if record and record.definition != definition and await self._has(client, path, version, record.definition):
            # A writer of another maker has registered its own spelling after ours, which stands all the same.
            definition = record.definition
        return ObservedSubject(definition, compatibility, record.owner if record else None)

    @staticmethod
    async def _has(client: httpx.AsyncClient, path: str, version: dict[str, Any], definition: str) -> bool:
        body = {"schema": definition, "schemaType": version.get("schemaType", "AVRO")}
        return (await client.post(f"/subjects/{path}", json=body)).is_success

    async def gate(self, step: Step) -> Step:
        """The step, blocked where the registry would refuse its schema. Registers nothing. Raises OSError."""
        if step.blocked or not isinstance(step.resource, Subject):
            return step
        try:
            async with self._client() as client:
                verdict = await check(client, step.resource)
        except httpx.HTTPError as error:
            raise OSError(f"the registry does not answer: {error or type(error).__name__}") from error
        why = f"not {verdict.compatibility} compatible: {'; '.join(verdict.reasons)}"
        return step if verdict.allowed else replace(step, blocked=why)

    async def apply(self, step: Step) -> None:
        """Sets the compatibility and registers the schema; a refusal changes nothing. Raises PartError."""
        subject = step.resource
        if not isinstance(subject, Subject) or step.action not in (Action.CREATE, Action.CHANGE):
            raise TypeError(step)
        path = quote(subject.name, safe="")
        body = {"schema": subject.definition, "schemaType": subject.format.upper()}
        try:
            async with self._client() as client:
                level = {"compatibility": subject.compatibility}
                early = await client.put(f"/config/{path}", json=level)
                answer = await client.post(f"/subjects/{path}/versions", json=body)
                if answer.status_code == CONFLICT:
                    raise await _conflict(client, subject, answer)
                if not answer.is_success:
                    raise PartError(
                        f"the registry refuses the schema of {subject.name}: {reason_of(answer)}",
                        "correct spec.topics[].schema.definition of that topic",
                    )
                if not early.is_success:
                    (await client.put(f"/config/{path}", json=level)).raise_for_status()
        except httpx.HTTPError as error:
            raise PartError(f"the registry does not answer for {subject.name}: {error}") from error


async def _conflict(client: httpx.AsyncClient, subject: Subject, answer: httpx.Response) -> PartError:
    """The registry says no; which field it is, is found out beside it."""
    verdict = await check(client, subject)
    why = "; ".join(verdict.reasons) if verdict.state == "incompatible" else reason_of(answer)
    return PartError(
        f"the schema of {subject.name} is not {subject.compatibility} compatible with what is registered: {why}",
        "make the change compatible, or set another compatibility for the topic; nothing else was changed "
        "(`headrace schema check` tells the same without a run)",
    )
