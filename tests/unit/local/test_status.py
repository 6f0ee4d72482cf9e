"""`status` tells what is observed: a process that is only meant to run does not run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from headrace.local.processes.supervisor import State
from headrace.local.run import LocalRun
from headrace.local.status import _process_state


def run_with(**states: State) -> LocalRun:
    running = {name.replace("_", "-"): SimpleNamespace(state=state) for name, state in states.items()}
    return cast("LocalRun", SimpleNamespace(supervisor=SimpleNamespace(running=running)))


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (State.READY, ("running", "")),
        (State.STARTING, ("waiting", "starting")),
        (State.WAITING, ("waiting", "waiting to start again")),
    ],
)
def test_a_gateway_runs_when_its_process_is_ready(state: State, told: tuple[str, str]) -> None:
    assert _process_state(run_with(gateway_shop=state), "gateway/shop") == told


def test_a_process_that_is_not_there_does_not_run() -> None:
    assert _process_state(run_with(), "loader/shop.sink") == ("waiting", "")
