"""docs/reference/streamplatform.md is what the models say; `make golden-update` writes it."""

from __future__ import annotations

from pathlib import Path

from pytest_regressions.file_regression import FileRegressionFixture

from headrace.core.wire.platform import StreamPlatform
from headrace.core.wire.reference import render_reference

DOCS = Path(__file__).parents[3] / "docs" / "reference"
INTRO = """\
Every field of a `StreamPlatform` (`headrace.dev/v1alpha1`): where the pipelines of its namespace run, by reference only. Generated
from the models that read the manifest.

On one machine a built-in platform serves, and a StreamPlatform is ignored. A complete example:
[platform.yaml](../../tests/golden/kubernetes/clickstream/platform.yaml). What comes of it: [kubernetes.md](kubernetes.md)."""


def test_the_reference_is_current(file_regression: FileRegressionFixture) -> None:
    text = render_reference(StreamPlatform, "StreamPlatform", INTRO)
    file_regression.check(text, fullpath=DOCS / "streamplatform.md")
