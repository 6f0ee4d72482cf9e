"""`make demo`, as a test: the numbers of all samples are right, also when parts are killed, and nothing is left running."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Leftovers, Shell

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

DEMO = ("-m", "headrace_apps.demo", "--rate", "200")
SAMPLES = ("clickstream", "iot", "transactions")


def test_the_demo_balances_when_each_part_is_killed(shell: Shell, state: Path, leftovers: Leftovers) -> None:
    kills = ("task-manager@3", "loader@12", "gateway@18", "broker@26")
    arguments = [argument for kill in kills for argument in ("--kill", kill)]
    code, output = shell.run(*DEMO, "--duration", "20", "--state", str(state), *arguments, seconds=1100)
    assert code == 0, output
    assert "cannot kill" not in output
    for part in ("kafka", "flink-taskmanager", *(f"gateway-{name}" for name in SAMPLES), "loader-iot.readings"):
        assert f"killing {part}" in output
    for name in SAMPLES:
        for part in (f"{name}: first 2xx", f"{name}: first aggregate", f"The check of {name} passed"):
            assert part in output
    assert "p50" in output
    assert "clickstream balances, iot balances, transactions balances" in output
    assert leftovers.after(20) == []


def test_nothing_outlives_a_demo_that_is_killed(shell: Shell, state: Path, leftovers: Leftovers) -> None:
    demo = shell.start(*DEMO, "--sample", "clickstream", "--state", str(state))
    demo.wait_for_line("first aggregate", 300)
    assert leftovers.count() > 5
    os.kill(demo.process.pid, signal.SIGKILL)
    assert leftovers.after(30) == []
