"""Snowflake's stand-in: fakesnow in server mode, in an environment of its own, databases in the state folder."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from headrace.local.errors import PartError
from headrace.local.ports import LOOPBACK
from headrace.local.processes.supervisor import Service
from headrace.local.services.http_probe import http_probe
from headrace.local.site import Site

NAME = "snowflake-stand-in"


def server_script() -> Path:
    """The stand-in's server: found, not imported, since it runs in another environment."""
    package = find_spec("headrace_apps.snowflake_stand_in")
    if package is None or package.origin is None:
        raise PartError("this installation of Headrace lacks the Snowflake stand-in", "install Headrace again")
    return Path(package.origin).with_name("server.py")


def stand_in(site: Site, python: Path) -> Service:
    """The service; `python` is the stand-in environment's (environments.py)."""
    port = site.ports.port(NAME)
    script, databases = server_script(), site.folder("snowflake")
    place = ["--db-path", str(databases), "--host", LOOPBACK, "--port", str(port)]
    return Service(
        NAME,
        # -I: nothing of Headrace's own environment may leak into the stand-in's.
        lambda: [str(python), "-I", str(script), *place],
        lambda: http_probe(f"http://{LOOPBACK}:{port}/healthz"),
        site.log(NAME),
        ready_seconds=90,
        stop_rank=4,
    )
