"""The gateway as any client sees it: send events, read a topic page by page, ask a view."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import httpx

from headrace_apps.demo.ledger import Answer, Outcome, Sent

TIMEOUT = httpx.Timeout(45, connect=5)
"""Longer than the gateway waits for its broker, so that its own answer comes first."""

OUTCOMES = {"accepted": Outcome.ACCEPTED, "refused": Outcome.REFUSED}


class Away(Exception):  # noqa: N818 - a state of the gateway, and the sender's cue to try again
    """The gateway or its broker cannot take or give anything now. What was sent may be stored or not."""


class Unexpected(Exception):  # noqa: N818
    """An answer that a retry will not change: a wrong token, an unknown topic."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some events of a topic, and the cursor that follows them."""

    events: list[dict[str, Any]]
    cursor: str


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of a view, and the cursor that follows them; None: these were the last."""

    values: list[dict[str, Any]]
    cursor: str | None


class Api:
    """One keep-alive connection; use it in one thread."""

    def __init__(self, base_url: str, token: str, transport: httpx.BaseTransport | None = None) -> None:
        self._client = httpx.Client(
            base_url=base_url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=TIMEOUT,
            transport=transport,
            trust_env=False,
        )

    def send(self, topic: str, batch: Sequence[Sent]) -> list[Answer | None]:
        """One request. An answer per event, None where it must be sent again. Raises Away, Unexpected."""
        body = json.dumps([sent.event for sent in batch], separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json"}
        answer = self._request("POST", f"/v1/topics/{topic}/events", content=body, headers=headers)
        try:
            results = answer.json()["results"]
        except (ValueError, KeyError, TypeError):
            raise self._failure(answer) from None
        return [_answer(result) for result in results]

    def read(self, topic: str, cursor: str | None, *, wait: float, limit: int = 1000) -> Page:
        """Events after the cursor (None: from the beginning), waiting up to `wait` seconds for the first."""
        parameters: dict[str, str | float] = {"limit": limit, "wait": wait}
        parameters |= {"cursor": cursor} if cursor else {"from": "earliest"}
        answer = self._request("GET", f"/v1/topics/{topic}/events", params=parameters)
        if answer.status_code != 200:
            raise self._failure(answer)
        page = answer.json()
        return Page(page["events"], page["next"])

    def is_ready(self) -> bool:
        """Whether the gateway serves."""
        try:
            return self._request("GET", "/readyz").status_code == 200
        except Away:
            return False

    def view_page(self, view: str, cursor: str | None = None, limit: int = 1000) -> Rows:
        """Rows of the view in key order, and where to go on."""
        parameters: dict[str, str | int] = {"limit": limit}
        if cursor:
            parameters["cursor"] = cursor
        answer = self._request("GET", f"/v1/views/{view}", params=parameters)
        if answer.status_code != 200:
            raise self._failure(answer)
        page = answer.json()
        return Rows([entry["value"] for entry in page["entries"]], page.get("next"))

    def view_size(self, view: str) -> int:
        """How many keys the view has."""
        size, cursor = 0, None
        while True:
            rows = self.view_page(view, cursor)
            size, cursor = size + len(rows.values), rows.cursor
            if not cursor:
                return size

    def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            return self._client.request(method, path, **options)
        except httpx.TransportError as error:
            raise Away(f"{method} {path}: {error or type(error).__name__}") from error

    def _failure(self, answer: httpx.Response) -> Exception:
        text = f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text[:300]}"
        passing = answer.status_code in (408, 425, 429) or answer.status_code >= 500
        return Away(text) if passing else Unexpected(text)

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _answer(result: dict[str, Any]) -> Answer | None:
    outcome = OUTCOMES.get(result["status"])
    return None if outcome is None else Answer(outcome, result.get("partition"), result.get("offset"))
