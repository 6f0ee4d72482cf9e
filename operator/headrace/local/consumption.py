"""What a start costs: seconds, bytes received over the network, and the peak of resident memory of all processes."""

from __future__ import annotations

import asyncio
import time

import psutil
from rich.filesize import decimal

SAMPLE_SECONDS = 1.0


class Consumption:
    """Counts from its making on. Shared pages count once per process, so the memory figure is an upper bound."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._received = received_bytes()
        self.peak = 0

    async def sample(self) -> None:
        """Looks at the memory once a second; ends by cancellation."""
        while True:
            self.peak = max(self.peak, await asyncio.to_thread(resident_bytes))
            await asyncio.sleep(SAMPLE_SECONDS)

    def summary(self) -> str:
        self.peak = max(self.peak, resident_bytes())
        return (
            f"{time.monotonic() - self._began:.0f} s, {decimal(received_bytes() - self._received)} received over the "
            f"network by this machine, peak memory {decimal(self.peak)}"
        )


def received_bytes() -> int:
    """By all interfaces but loopback."""
    counters = psutil.net_io_counters(pernic=True)
    return sum(int(c.bytes_recv) for name, c in counters.items() if not name.startswith("lo"))


def resident_bytes() -> int:
    """Of this process and all below it."""
    total = 0
    me = psutil.Process()
    for process in [me, *me.children(recursive=True)]:
        try:
            total += int(process.memory_info().rss)
        except psutil.Error:
            continue
    return total
