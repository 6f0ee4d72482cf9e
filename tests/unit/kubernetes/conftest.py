"""Pipelines and platforms to render, and the neighbours' CRDs where they are at hand."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def crds() -> Path | None:
    """The folder with the neighbours' real CRDs. Without it less is checked, and the run says so."""
    named = os.environ.get("HEADRACE_CRDS")
    if named is None:
        warnings.warn(
            "HEADRACE_CRDS names no folder: Strimzi's, Flink's, KEDA's and Prometheus' objects are checked against the "
            "fields that this project relies on, not against their real CRDs",
            stacklevel=1,
        )
        return None
    folder = Path(named)
    assert list(folder.glob("*.yaml")), f"HEADRACE_CRDS={named} holds no CRD"
    return folder
