"""Readiness over HTTP."""

from __future__ import annotations

import httpx

from headrace.local.loopback import loopback_client


async def http_probe(url: str, seconds: float = 2.0) -> str | None:
    """None when the URL answers 2xx, else what it answered; raises OSError when nothing listens."""
    try:
        async with loopback_client(seconds) as client:
            response = await client.get(url)
    except httpx.HTTPError as error:
        raise OSError(f"{url}: {error or type(error).__name__}") from error
    return None if response.is_success else f"{url} answers {response.status_code}"
