"""Plain lines: what takes longer reports while it is under way, and says how long it took."""

from __future__ import annotations

import threading

from headrace.local.announce import LineAnnouncer


def test_work_under_way_is_reported_again_and_again() -> None:
    lines: list[str] = []
    three = threading.Event()

    def write(line: str) -> None:
        lines.append(line)
        if len(lines) >= 3:
            three.set()

    announcer = LineAnnouncer(write, every=0.01)
    with announcer.work("fetching Kafka", 2000) as work:
        work.advance(500)
        assert three.wait(timeout=20)
    assert all(line.startswith("fetching Kafka: 500 bytes of 2.0 kB") for line in lines[:3])


def test_long_work_says_how_long_it_took() -> None:
    lines: list[str] = []
    now = [0.0]
    announcer = LineAnnouncer(lines.append, clock=lambda: now[0])
    with announcer.work("installing Flink"):
        now[0] = 61.4
    assert lines == ["installing Flink: done in 61 s"]


def test_short_work_is_not_worth_a_line() -> None:
    lines: list[str] = []
    with LineAnnouncer(lines.append, clock=lambda: 0.0).work("unpacking"):
        pass
    assert lines == []
