"""The demo's last words: each run's own figures before the checks, and one line about all of them after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console

from headrace_apps.demo.scene import Scene


def print_summary(console: Console, started: float, scenes: Sequence[Scene]) -> None:
    """The run's own figures, before the verdict."""
    for scene in scenes:
        for line in _lines(scene, started):
            console.print(line, highlight=False, soft_wrap=True)


def _lines(scene: Scene, started: float) -> list[str]:
    tally, figures = scene.tally, scene.figures
    references = f", {tally.references:,} reference records" if tally.references else ""
    lines = [
        f"{scene.sample.name}: {tally.accepted_events:,} accepted ({tally.peers:,} of them in another maker's bytes,"
        f" {tally.repeated:,} repeats, {tally.late:,} late), {tally.refused:,} refused, {tally.malformed:,} malformed"
        f" records straight into Kafka{references}, {tally.retries:,} retries",
    ]
    firsts = [f"{what} {at - started:.1f} s" for what, at in scene.firsts() if at is not None]
    lines.append(f"  after the start: {', '.join(firsts)}")
    if latency := figures.latencies.overall():
        which = "sent after it had caught up" if figures.caught_up else "all, as it never caught up with the traffic"
        lines.append(
            f"  HTTP to exactly-once output and back out of the API: p50 {latency.p50 * 1000:.0f} ms,"
            f" p95 {latency.p95 * 1000:.0f} ms ({latency.count:,} events, {which})"
        )
    return lines


def print_verdict(console: Console, codes: Mapping[str, int]) -> None:
    """By sample the check's exit code."""
    words = {0: "balances", 1: "DIFFERS"}
    verdicts = ", ".join(f"{name} {words.get(code, 'could not be checked')}" for name, code in codes.items())
    style = "red" if any(codes.values()) else "green"
    console.print(f"The demo's verdict: {verdicts}.", style=style, markup=False)
