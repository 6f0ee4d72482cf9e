"""docs/reference/streampipeline.md is what the models say; `make golden-update` writes it."""

from __future__ import annotations

from pathlib import Path

from pytest_regressions.file_regression import FileRegressionFixture

from headrace.core.wire.pipeline import StreamPipeline
from headrace.core.wire.reference import render_reference

DOCS = Path(__file__).parents[3] / "docs" / "reference"
INTRO = """\
Every field of a `StreamPipeline` (`headrace.dev/v1alpha1`). This page is generated from the models that read the manifest.

- Durations are written `500ms`, `5s`, `1h30m`, `7d`.
- Unknown fields are refused; nothing is coerced (`partitions: "6"` is an error).
- A complete example: [manifests/samples/clickstream/pipeline.yaml](../../manifests/samples/clickstream/pipeline.yaml).
- How JSON Schema types become columns of SQL and of the table: [contracts.md](contracts.md#row-semantics-what-one-json-record-means)."""


def test_the_reference_is_current(file_regression: FileRegressionFixture) -> None:
    text = render_reference(StreamPipeline, "StreamPipeline", INTRO)
    file_regression.check(text, fullpath=DOCS / "streampipeline.md")


def test_every_field_says_what_it_means() -> None:
    text = render_reference(StreamPipeline, "", "")
    assert [line for line in text.splitlines() if line.startswith("| `") and line.endswith("| |")] == []
