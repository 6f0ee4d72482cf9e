"""Faultless runs of the samples (demo_runs.py)."""

from __future__ import annotations

import pytest
from tests.unit.demo.demo_runs import Run, make_run

from headrace_apps.demo.samples import SAMPLES


@pytest.fixture(scope="session", params=list(SAMPLES))
def run(request: pytest.FixtureRequest) -> Run:
    return make_run(SAMPLES[request.param])


@pytest.fixture(scope="session")
def clickstream() -> Run:
    return make_run(SAMPLES["clickstream"])
