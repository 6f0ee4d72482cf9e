"""The views over HTTP: one entry, many, or a stretch of them in the order of their keys (docs/how-to/query-a-view.md).

    GET  /v1/views/{view}/{key}     one            POST /v1/views/{view}     {"keys": [...]}: many
    GET  /v1/views/{view}           all, `prefix` and `from`/`to`, in pages

Each answer tells the offsets that it covers and its age. Who sends them back is never shown an older view.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import unquote

import orjson
from fastapi import Query, Request, Response

from headrace.core.columns import Column
from headrace.core.documents import GatewayView
from headrace_apps.gateway.limits import Limits
from headrace_apps.gateway.problems import Problem
from headrace_apps.gateway.records import registry_away, show_key, show_time, show_value
from headrace_apps.gateway.tokens import Verifier, demand
from headrace_apps.gateway.views.follower import ViewFollower
from headrace_apps.gateway.views.keys import KeyInvalid, parse_view_key, render_view_key
from headrace_apps.gateway.views.query import (
    MIN_OFFSETS_HEADER,
    OFFSETS_HEADER,
    QueryInvalid,
    parse_cursor,
    parse_keys,
    parse_offsets,
    parse_stretch,
    render_cursor,
    render_offsets,
)
from headrace_apps.gateway.views.store import Entry, Found, Reading, ViewStore
from headrace_apps.records.decoder import Decoder
from headrace_apps.records.registry import RegistryAwayError

LOOK_SECONDS = 0.01
"""Between two looks whether a view has reached what a caller has seen already."""


@dataclass(frozen=True, slots=True)
class View:
    """A declared view with the parts that serve it."""

    declared: GatewayView
    key_columns: tuple[Column, ...]
    store: ViewStore
    follower: ViewFollower
    decoder: Decoder


class Views:
    """The handlers; one per gateway. `now` is epoch seconds."""

    def __init__(self, views: dict[str, View], verifier: Verifier, limits: Limits, now: Callable[[], float]) -> None:
        self._views = views
        self._verifier = verifier
        self._limits = limits
        self._now = now

    async def list(
        self,
        request: Request,
        view: str,
        *,
        limit: Annotated[int, Query(ge=1)] = 100,
        cursor: Annotated[str | None, Query(max_length=100_000)] = None,
        prefix: Annotated[list[str] | None, Query()] = None,
        lower: Annotated[str | None, Query(alias="from")] = None,
        upper: Annotated[str | None, Query(alias="to")] = None,
    ) -> Response:
        """Entries in the order of their keys; `next` is null on the last page."""
        found = await self._view(request, view)
        limit = min(limit, self._limits.max_page)
        try:
            stretch = parse_stretch(found.key_columns, prefix or (), lower, upper)
            if cursor is not None:
                stretch = stretch.after(parse_cursor(cursor))
        except QueryInvalid as exc:
            raise Problem(422, exc.kind, str(exc)) from None
        reading = found.store.read()
        entries = await asyncio.to_thread(reading.scan, stretch.start, stretch.end, limit + 1)
        size = _fitting(entries[:limit], self._limits.max_page_bytes)
        more = len(entries) > size
        shown = await _shown(found, [(entry.key, entry.entry) for entry in entries[:size]])
        return _answer(
            view,
            self._freshness(found, reading),
            entries=shown,
            next=render_cursor(entries[size - 1].place) if more else None,
        )

    async def get(self, request: Request, view: str, key: str) -> Response:  # noqa: ARG002 - see below
        """One entry. The key is read from the raw path: the framework's is decoded, so `%2C` would be a comma."""
        found = await self._view(request, view)
        try:
            wanted = parse_view_key(_raw_key(request, view), found.key_columns)
        except KeyInvalid as exc:
            raise Problem(422, "invalid-key", f"The view {view} has no such key: {exc}.") from None
        reading = found.store.read()
        entry, freshness = reading.get(wanted), self._freshness(found, reading)
        if entry is None:
            detail = f"The view {view} has nothing under this key."
            raise Problem(404, "unknown-key", detail, headers=_headers(freshness), **freshness)
        (shown,) = await _shown(found, [(wanted, entry)])
        return _answer(view, freshness, **shown)

    async def get_many(self, request: Request, view: str) -> Response:
        """The entries of `{"keys": [...]}` in that order, null where there is none; all as of the same offsets."""
        found = await self._view(request, view)
        try:
            keys = parse_keys(await _body(request, self._limits.max_body), found.key_columns)
        except QueryInvalid as exc:
            raise Problem(422, exc.kind, str(exc)) from None
        reading = found.store.read()
        entries = await asyncio.to_thread(lambda: [reading.get(key) for key in keys])
        there = [(key, entry) for key, entry in zip(keys, entries, strict=True) if entry is not None]
        shown = iter(await _shown(found, there))
        answer = [None if entry is None else next(shown) for entry in entries]
        return _answer(view, self._freshness(found, reading), entries=answer)

    async def _view(self, request: Request, name: str) -> View:
        """The view, as new as the caller wants it. Raises Problem."""
        caller = await self._verifier.caller(request.headers.get("authorization"))
        view = self._views.get(name)
        if view is None:
            known = ", ".join(self._views) or "none"
            raise Problem(404, "unknown-view", f"There is no view {name[:100]!r}; there are: {known}.")
        demand(caller, view.declared.scopes)
        progress = view.follower.progress
        if not progress.restored:
            detail = f"The view is being restored: {progress.applied} of {progress.to_apply} offsets are read."
            raise Problem(
                503,
                "view-restoring",
                detail,
                headers={"Retry-After": "1"},
                applied=progress.applied,
                toApply=progress.to_apply,
            )
        try:
            least = parse_offsets(request.headers.get(MIN_OFFSETS_HEADER))
        except QueryInvalid as exc:
            raise Problem(422, exc.kind, str(exc)) from None
        await self._reach(view, least)
        return view

    async def _reach(self, view: View, least: Mapping[int, int]) -> None:
        """Return when the view holds all that lies before these offsets. Raises Problem 503 after `read_timeout`."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._limits.read_timeout
        while not _covers(positions := view.store.positions(), least):
            if loop.time() >= end:
                behind = {p: offset for p, offset in least.items() if positions.get(p, 0) < offset}
                detail = (
                    f"The view has not yet read up to {render_offsets(behind)}, which {MIN_OFFSETS_HEADER} asks for; "
                    f"it is at {render_offsets(positions)}. Try again."
                )
                raise Problem(
                    503, "view-behind", detail, headers={"Retry-After": "1"}, **self._freshness(view, view.store.read())
                )
            await asyncio.sleep(LOOK_SECONDS)

    def _freshness(self, view: View, reading: Reading) -> dict[str, Any]:
        confirmed = view.follower.progress.confirmed
        age = None if confirmed is None else max(0, round((self._now() - confirmed) * 1000))
        return {"offsets": {str(p): o for p, o in sorted(reading.positions.items())}, "ageMs": age}


def _covers(positions: Mapping[int, int], least: Mapping[int, int]) -> bool:
    return all(positions.get(partition, 0) >= offset for partition, offset in least.items())


def _headers(freshness: Mapping[str, Any]) -> dict[str, str]:
    return {OFFSETS_HEADER: ",".join(f"{p}:{offset}" for p, offset in freshness["offsets"].items())}


def _answer(view: str, freshness: Mapping[str, Any], **content: Any) -> Response:
    body = orjson.dumps({"view": view, **freshness, **content})
    return Response(body, media_type="application/json", headers=_headers(freshness))


async def _body(request: Request, limit: int) -> bytes:
    """Raises Problem 413."""
    parts, size = [], 0
    async for part in request.stream():
        parts.append(part)
        size += len(part)
        if size > limit:
            raise Problem(413, "body-too-large", f"The body is larger than {limit} bytes.")
    return b"".join(parts)


def _fitting(entries: Sequence[Found], size: int) -> int:
    """How many of the entries make up a page: up to the one with which their keys and values reach `size` bytes."""
    for count, found in enumerate(entries, 1):
        size -= len(found.key) + len(found.entry.value)
        if size <= 0:
            return count
    return len(entries)


def _raw_key(request: Request, view: str) -> str:
    """What stands behind `/v1/views/{view}/`, still percent-encoded. Raises Problem 404.

    The framework finds the route by the decoded path, in which a `%2F` between the parts looks like a slash too.
    """
    parts: list[str] = request.scope["raw_path"].decode("ascii", "replace").split("/", 4)
    if len(parts) < 5 or [unquote(part) for part in parts[:4]] != ["", "v1", "views", view]:
        detail = f"There is nothing at {request.url.path}: the slashes up to the key stand as they are, not as %2F."
        raise Problem(404, "not-found", detail)
    return parts[4]


async def _shown(view: View, entries: Sequence[tuple[bytes, Entry]]) -> Sequence[dict[str, Any]]:
    """Raises Problem 503 when a value cannot be decoded because the registry is away."""

    def show() -> Sequence[dict[str, Any]]:
        return [_show(view, key, entry) for key, entry in entries]

    try:
        return await asyncio.to_thread(show) if view.decoder.may_wait else show()
    except RegistryAwayError as error:
        raise registry_away(error) from None


def _show(view: View, key: bytes, entry: Entry) -> dict[str, Any]:
    return {
        "key": show_key(key, view.key_columns),
        "path": render_view_key(key, view.key_columns),
        **show_value(entry.value, view.decoder),
        "partition": entry.partition,
        "offset": entry.offset,
        "timestamp": show_time(entry.timestamp),
    }
