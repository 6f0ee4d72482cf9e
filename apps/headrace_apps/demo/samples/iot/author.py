"""What the sensors send: each in its turn, some too hot for a while, some silent for a while."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from uuid import UUID

from headrace_apps.demo.ledger import Sent
from headrace_apps.demo.moments import rfc3339
from headrace_apps.demo.samples.iot.names import BOUND_CELSIUS, GAP_MS, OUT_OF_ORDERNESS_MS, READINGS, SIZE_MS
from headrace_apps.demo.stream import Event

DEVICES = 60
STEP = 1 / 16
"""What a sensor of this kind can tell apart; sums of such numbers are exact, so averages can be compared exactly."""
MODELS = ("DS-18", "DS-28", "TX-4")
TAGS: tuple[dict[str, str], ...] = ({}, {"site": "north"}, {"site": "south", "line": "2"}, {"Straße": "Łódź"})

BREAKS: tuple[Mapping[str, object], ...] = (
    {"device_id": None},
    {"celsius": "20"},
    {"celsius": None},
    {"humidity": "dry"},
    {"state": "ON FIRE"},
    {"device": {"firmware": "1.2"}},
    {"device": "DS-18"},
    {"tags": {"site": 7}},
    {"measured_at": "yesterday"},
    {"reading_id": 12345},
)


@dataclass(slots=True)
class _Device:
    name: str
    model: str
    firmware: str | None
    tags: dict[str, str]
    sixteenths: int
    last: int = 0
    silent_until: int = 0
    hot: int = 0
    """So many more readings above the bound."""


class Fleet:
    """An `Author` (stream.py). A device never has two readings of one millisecond: their order would be open."""

    topic, id_field, breaks = READINGS, "reading_id", BREAKS
    closes_after_ms = max(SIZE_MS, GAP_MS) + OUT_OF_ORDERNESS_MS + 1_000

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._made = 0
        self._devices = deque(self._new_device() for _ in range(DEVICES))

    def compose(self, now: int) -> Event:
        for _ in range(len(self._devices)):
            device = self._devices[0]
            self._devices.rotate(-1)
            if device.last < now and device.silent_until <= now:
                return self._reading(device, now)
        # All have spoken, or the time is long ago: a device that was switched on now.
        return self._reading(self._new_device(), now)

    def replay(self, now: int) -> Event | None:  # noqa: ARG002
        return None

    def closing(self, name: str, at: int) -> Event:
        device = self._new_device()
        device.name = name
        return self._event(device, 20.0, at)

    def references(self, now: int) -> list[Sent]:  # noqa: ARG002 - readings refer to nothing
        return []

    def closing_references(self, at: int) -> list[Sent]:  # noqa: ARG002
        return []

    def _new_device(self) -> _Device:
        rng = self._rng
        self._made += 1
        firmware = rng.choice((None, "1.4.0", "2.0.1"))
        start = rng.randrange(15 * 16, 60 * 16)
        return _Device(f"device-{self._made:03d}", rng.choice(MODELS), firmware, rng.choice(TAGS), start)

    def _reading(self, device: _Device, now: int) -> Event:
        rng = self._rng
        # The first falls silent at once, so that every run soon has such an alert.
        if rng.random() < 0.0005 or (device.last == 0 and device.name == "device-001"):
            device.silent_until = now + GAP_MS + rng.randrange(1_000, 8_000)
        if device.hot == 0 and rng.random() < 0.004:
            device.hot = rng.randrange(1, 12)
        device.sixteenths += rng.randrange(-8, 9)
        if device.hot:
            device.hot -= 1
            device.sixteenths = max(device.sixteenths, BOUND_CELSIUS * 16 + rng.randrange(1, 200))
        else:
            # The bound itself is not too hot.
            device.sixteenths = min(device.sixteenths, BOUND_CELSIUS * 16)
        device.last = now
        return self._event(device, device.sixteenths * STEP, now)

    def _event(self, device: _Device, celsius: float, ms: int) -> Event:
        rng = self._rng
        event: Event = {
            "reading_id": str(UUID(int=rng.getrandbits(128), version=4)),
            "device_id": device.name,
            "measured_at": rfc3339(ms),
            "celsius": celsius,
            "state": rng.choices(("OK", "DEGRADED", "FAULTY"), (95, 4, 1))[0],
            "device": {"model": device.model, "firmware": device.firmware},
            "tags": device.tags,
        }
        return event | ({"humidity": rng.randrange(200, 900) / 10} if rng.random() < 0.7 else {})
