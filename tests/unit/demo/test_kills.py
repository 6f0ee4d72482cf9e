"""Which parts a `--kill` means, and how it is written."""

from __future__ import annotations

import argparse

import pytest

from headrace_apps.demo.kills import Kill, parse_kill

SERVICES = [
    "apicurio",
    "flink-jobmanager",
    "flink-taskmanager",
    "gateway-clickstream",
    "kafka",
    "loader-clickstream.raw-clicks",
    "snowflake-stand-in",
]


@pytest.mark.parametrize(
    ("part", "service"),
    [
        ("task-manager", "flink-taskmanager"),
        ("job-manager", "flink-jobmanager"),
        ("gateway", "gateway-clickstream"),
        ("loader", "loader-clickstream.raw-clicks"),
        ("broker", "kafka"),
    ],
)
def test_a_part_is_one_service(part: str, service: str) -> None:
    kill = parse_kill(f"{part}@12.5")
    assert kill == Kill(12.5, part)
    assert [name for name in SERVICES if kill.is_of(name)] == [service]


@pytest.mark.parametrize(
    "text", ["gateway", "gateway@", "gateway@soon", "gateway@-1", "gateway@inf", "kafka@1", "@1", ""]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        parse_kill(text)
