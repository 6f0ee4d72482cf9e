"""HTTP to parts on this machine: plain, on loopback, past any proxy that the environment names."""

from __future__ import annotations

import ssl

import httpx

# Nothing on loopback speaks TLS. A context without certificate authorities spares each client 20 ms of loading them,
# and the probes of a start make hundreds of clients.
NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def loopback_client(
    seconds: float = 20, base_url: str = "", transport: httpx.AsyncBaseTransport | None = None
) -> httpx.AsyncClient:
    """A client whose requests take `seconds` at most; `transport` is for tests."""
    return httpx.AsyncClient(
        base_url=base_url, timeout=seconds, trust_env=False, verify=NO_AUTHORITIES, transport=transport
    )
