"""`GET /v1/views/{view}` and `/{key}`: the view as it is now, with how far it has been read and how fresh it is."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import unquote

import orjson
from fastapi import Query, Request, Response

from headrace.core.columns import Column
from headrace.core.documents import GatewayView
from headrace_apps.gateway.limits import Limits
from headrace_apps.gateway.problems import Problem
from headrace_apps.gateway.records import show_key, show_time, show_value
from headrace_apps.gateway.tokens import Verifier, demand
from headrace_apps.gateway.views.follower import ViewFollower
from headrace_apps.gateway.views.keys import KeyInvalid, parse_view_key, render_view_key
from headrace_apps.gateway.views.store import Entry, ViewStore


@dataclass(frozen=True, slots=True)
class View:
    """A declared view with the parts that serve it."""

    declared: GatewayView
    key_columns: tuple[Column, ...]
    store: ViewStore
    follower: ViewFollower


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
        limit: Annotated[int, Query(ge=1)] = 100,
        cursor: Annotated[str | None, Query(max_length=100_000)] = None,
    ) -> Response:
        """Entries in the order of their keys; `next` is null on the last page."""
        found = await self._view(request, view)
        limit = min(limit, self._limits.max_page)
        entries = found.store.scan(_key_of_cursor(cursor) if cursor is not None else None, limit + 1)
        size = _fitting(entries[:limit], self._limits.max_page_bytes)
        more = len(entries) > size
        entries = entries[:size]
        content = {
            "view": view,
            **self._freshness(found),
            "entries": [_show(found, key, entry) for key, entry in entries],
            "next": _cursor_of_key(entries[-1][0]) if more else None,
        }
        return Response(orjson.dumps(content), media_type="application/json")

    async def get(self, request: Request, view: str, key: str) -> Response:  # noqa: ARG002 - see below
        """One entry. The key is read from the raw path: the framework's is decoded, so `%2C` would be a comma."""
        found = await self._view(request, view)
        try:
            wanted = parse_view_key(_raw_key(request, view), found.key_columns)
        except KeyInvalid as exc:
            raise Problem(422, "invalid-key", f"The view {view} has no such key: {exc}.") from None
        entry = found.store.get(wanted)
        if entry is None:
            detail = f"The view {view} has nothing under this key."
            raise Problem(404, "unknown-key", detail, **self._freshness(found))
        content = {"view": view, **self._freshness(found), **_show(found, wanted, entry)}
        return Response(orjson.dumps(content), media_type="application/json")

    async def _view(self, request: Request, name: str) -> View:
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
        return view

    def _freshness(self, view: View) -> dict[str, Any]:
        confirmed = view.follower.progress.confirmed
        age = None if confirmed is None else max(0, round((self._now() - confirmed) * 1000))
        return {"offsets": {str(p): o for p, o in sorted(view.store.positions().items())}, "ageMs": age}


def _fitting(entries: Sequence[tuple[bytes, Entry]], size: int) -> int:
    """How many of the entries make up a page: up to the one with which their keys and values reach `size` bytes."""
    for count, (key, entry) in enumerate(entries, 1):
        size -= len(key) + len(entry.value)
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


def _show(view: View, key: bytes, entry: Entry) -> dict[str, Any]:
    return {
        "key": show_key(key, view.key_columns),
        "path": render_view_key(key, view.key_columns),
        **show_value(entry.value),
        "partition": entry.partition,
        "offset": entry.offset,
        "timestamp": show_time(entry.timestamp),
    }


def _cursor_of_key(key: bytes) -> str:
    return base64.urlsafe_b64encode(key).decode().rstrip("=")


def _key_of_cursor(cursor: str) -> bytes:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        detail = "The cursor cannot be used: it is not one that the gateway gave out."
        raise Problem(422, "invalid-cursor", detail) from None
