"""Services for programs that are not asyncio themselves (tests, notebooks): one loop in one thread.

The thread is the one that forks, so it must live as long as the processes: it ends in `close`, after they are gone.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from headrace.local.processes.spawn import Spawner
from headrace.local.processes.supervisor import Running, Service, Supervisor
from headrace.local.site import Site

T = TypeVar("T")


class Background:
    """A supervisor in a thread of its own. Use as a context manager."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.spawner = Spawner()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="services", daemon=True)
        self._supervisor: Supervisor | None = None

    def __enter__(self) -> Background:
        self._thread.start()
        self.spawner.__enter__()
        self._supervisor = self.call(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        self.call(self.supervisor.stop_all())
        self.spawner.__exit__()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)

    @property
    def supervisor(self) -> Supervisor:
        if self._supervisor is None:
            raise RuntimeError("not entered")
        return self._supervisor

    async def _open(self) -> Supervisor:
        return Supervisor(self.spawner, self.site.announcer)

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs the coroutine in the thread's loop and waits for its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def start(self, *services: Service) -> list[Running]:
        """Starts the services at once and returns when all are ready; raises PartError."""

        async def all_of_them() -> list[Running]:
            return await asyncio.gather(*(self.supervisor.start(service) for service in services))

        return self.call(all_of_them())
