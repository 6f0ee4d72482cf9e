"""A sink's loader as a service: reads its document from the state folder, tells its figures on a loopback port."""

from __future__ import annotations

import sys
from pathlib import Path

from headrace.local.processes.supervisor import Service
from headrace.local.services.http_probe import http_probe
from headrace.local.site import Site


def service_name(loader: str) -> str:
    return f"loader-{loader}"


def metrics_url(site: Site, loader: str) -> str:
    return f"http://{site.address(service_name(loader))}/metrics"


def loader_service(site: Site, loader: str, document: Path) -> Service:
    """`document` is read at each start."""
    name = service_name(loader)
    url = metrics_url(site, loader)
    port = site.ports.port(name)
    return Service(
        name,
        lambda: [
            *(sys.executable, "-m", "headrace_apps.loader"),
            *("--document", str(document), "--metrics-port", str(port)),
        ],
        lambda: http_probe(url),
        site.log(name),
        environ=site.environ,
        ready_seconds=120,
        stop_rank=2,
        stop_seconds=65,  # what is held is begun for up to 30 s, and awaited for as long again
    )
