"""Where the services of one run live: its state folder, the user's cache, its ports, and who is told what happens."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from headrace.local.announce import Announcer
from headrace.local.cache import cache_folder
from headrace.local.parts.fetch import Fetcher
from headrace.local.ports import LOOPBACK, Ports


@dataclass(frozen=True)
class Site:
    state: Path
    cache: Path
    ports: Ports
    announcer: Announcer
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    @property
    def fetcher(self) -> Fetcher:
        return Fetcher(self.cache / "maven", self.announcer, self.environ)

    def log(self, service: str) -> Path:
        return self.state / "logs" / f"{service}.log"

    def folder(self, name: str) -> Path:
        """A folder of the state, made if need be."""
        folder = self.state / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def address(self, name: str, prefer: int | None = None) -> str:
        """`127.0.0.1:<port>` of a service."""
        return f"{LOOPBACK}:{self.ports.port(name, prefer)}"


def open_site(
    state: Path,
    announcer: Announcer,
    ports: Mapping[str, int] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Site:
    """A site in the folder `state`; `ports` are those that the user set, by service name."""
    environ = os.environ if environ is None else environ
    state = state.absolute()
    state.mkdir(parents=True, exist_ok=True)
    return Site(
        state,
        cache_folder(environ),
        Ports(state / "ports.json", dict(ports or {}), announcer.say),
        announcer,
        environ,
    )
