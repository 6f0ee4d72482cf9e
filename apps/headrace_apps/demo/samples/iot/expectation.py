"""What readings must lead to: averages over sliding windows, heat, silence, and two tables. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import pairwise

from headrace_apps.demo.check.expectation import Accepted, Expectation, Key, Letters, Output, Row, TableRows
from headrace_apps.demo.check.sessions import sessions_of
from headrace_apps.demo.check.values import plain
from headrace_apps.demo.samples.iot import names
from headrace_apps.demo.samples.iot.names import BOUND_CELSIUS, CLOSING, GAP_MS, SIZE_MS, SLIDE_MS

ALERT_KEY = ("device_id", "kind", "since")


def expect(accepted: Accepted) -> Expectation:
    """Every place where readings arrive."""
    devices: dict[str, list[Row]] = defaultdict(list)
    for event in accepted.punctual.values():
        devices[event["device_id"]].append(plain(event))
    hot, silence = too_hot(devices), silent(devices)
    jobs = (names.AVERAGES_JOB, names.TOO_HOT_JOB, names.SILENT_JOB)
    return Expectation(
        accepted=accepted,
        stored=accepted.events,
        outputs=[
            Output(
                "every device and window",
                names.DEVICE_AVERAGES,
                ("device_id", "window_start"),
                averages(devices),
                ignored=_of_closing,
            ),
            Output("every rise above the bound", names.ALERTS, ALERT_KEY, hot, mine=lambda r: r["kind"] == "TooHot"),
            Output("every silence", names.ALERTS, ALERT_KEY, silence, mine=lambda r: r["kind"] != "TooHot"),
        ],
        letters=[
            *(Letters(f"job/{job}", "Late", "late") for job in jobs),
            *(Letters(f"job/{job}", "Malformed", "malformed") for job in jobs),
            Letters(f"sink/{names.READINGS_SINK}", "Unloadable", "malformed"),
        ],
        tables=[
            TableRows(
                names.READINGS_SINK,
                ("reading_id",),
                ("reading_id",),
                {(i,): _renamed(plain(event)) for i, event in accepted.events.items()},
            ),
            TableRows(names.ALERTS_SINK, ALERT_KEY, ALERT_KEY, {**hot, **silence}),
        ],
    )


def averages(devices: Mapping[str, Iterable[Row]]) -> dict[Key, Row]:
    """The average of each device in each sliding window that holds a reading of it."""
    windows: dict[tuple[str, int], list[float]] = defaultdict(list)
    for device, readings in devices.items():
        for reading in readings:
            newest = reading["measured_at"] // SLIDE_MS * SLIDE_MS
            for start in range(newest, newest - SIZE_MS, -SLIDE_MS):
                windows[device, start].append(reading["celsius"])
    return {
        (device, start): {
            "device_id": device,
            "window_start": start,
            "window_end": start + SIZE_MS,
            "readings": len(values),
            "celsius": sum(values) / len(values),
        }
        for (device, start), values in windows.items()
    }


def too_hot(devices: Mapping[str, Iterable[Row]]) -> dict[Key, Row]:
    """Each reading above the bound whose predecessor in event time was not."""
    found: dict[Key, Row] = {}
    for device, readings in devices.items():
        ordered: list[Row | None] = [None, *sorted(readings, key=lambda reading: int(reading["measured_at"]))]
        for before, reading in pairwise(ordered):
            assert reading is not None  # noqa: S101 - only the first is
            if reading["celsius"] > BOUND_CELSIUS and (before is None or before["celsius"] <= BOUND_CELSIUS):
                at = reading["measured_at"]
                alert = {"device_id": device, "kind": "TooHot", "since": at, "celsius": reading["celsius"]}
                found[device, "TooHot", at] = alert
    return found


def silent(devices: Mapping[str, Iterable[Row]]) -> dict[Key, Row]:
    """Each last reading before a gap; at the end of a run, when the closing events come, that is everyone's last."""
    found: dict[Key, Row] = {}
    for device, readings in devices.items():
        for _, end, _ in sessions_of(readings, "measured_at", GAP_MS):
            since = end - GAP_MS
            found[device, "Silent", since] = {"device_id": device, "kind": "Silent", "since": since}
    return found


def _renamed(reading: Row) -> Row:
    return {"temperature" if name == "celsius" else name: value for name, value in reading.items()}


def _of_closing(row: Row) -> bool:
    return str(row["device_id"]).startswith(CLOSING)
