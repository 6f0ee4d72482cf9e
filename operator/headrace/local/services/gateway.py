"""A pipeline's gateway as a service: reads its document from the state folder, serves on loopback."""

from __future__ import annotations

import sys
from pathlib import Path

from headrace.local.ports import LOOPBACK
from headrace.local.processes.supervisor import Service
from headrace.local.services.http_probe import http_probe
from headrace.local.site import Site

PREFERRED_PORT = 8080


def service_name(gateway: str) -> str:
    return f"gateway-{gateway}"


def gateway_url(site: Site, gateway: str) -> str:
    return f"http://{site.address(service_name(gateway), PREFERRED_PORT)}"


def gateway_service(site: Site, gateway: str, document: Path) -> Service:
    """`document` is read at each start."""
    name = service_name(gateway)
    url = gateway_url(site, gateway)
    place = ["--host", LOOPBACK, "--port", url.rsplit(":", 1)[1]]
    data = ["--data", str(site.state / "views" / gateway)]
    return Service(
        name,
        lambda: [sys.executable, "-m", "headrace_apps.gateway", "--document", str(document), *place, *data],
        lambda: http_probe(f"{url}/readyz"),
        site.log(name),
        environ=site.environ,
        # A new view is restored by reading its topic from the beginning before the gateway says that it is ready.
        ready_seconds=300,
        stop_rank=1,
        advice="see the log; if the port is taken, set another with --gateway-port",
    )
