"""docs/reference: the command line and the manifest's schema are what the code says; `make golden-update` writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from pytest_regressions.file_regression import FileRegressionFixture
from typer.core import TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from headrace.cli.main import app
from headrace.cli.manifest_schema import render_manifest_schema
from headrace.cli.reference import render_reference

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs" / "reference"


def test_the_reference_of_the_command_line_is_current(file_regression: FileRegressionFixture) -> None:
    file_regression.check(render_reference(app), fullpath=DOCS / "cli.md")


def test_the_schema_for_editors_is_current(file_regression: FileRegressionFixture) -> None:
    file_regression.check(render_manifest_schema(), fullpath=DOCS / "streampipeline.schema.json")


def commands(command: object, path: str = "headrace") -> list[tuple[str, TyperCommand]]:
    if isinstance(command, TyperGroup):
        return [found for name, child in command.commands.items() for found in commands(child, f"{path} {name}")]
    return [(path, command)] if isinstance(command, TyperCommand) else []


@pytest.mark.parametrize(("path", "command"), commands(get_command(app)))
def test_every_command_says_what_it_does_with_an_example_and_every_option_what_for(
    path: str, command: TyperCommand
) -> None:
    assert command.help, path
    assert (command.epilog or "").startswith(("Example: headrace ", "Examples: headrace ")), path
    assert [option.name for option in command.params if isinstance(option, TyperOption) and not option.help] == []


@pytest.mark.parametrize("sample", sorted((ROOT / "manifests" / "samples").glob("*/pipeline.yaml")), ids=str)
def test_the_samples_fit_the_schema_for_editors(sample: Path) -> None:
    class Plain(yaml.SafeLoader):
        """Times stay text, as in the manifest's own reader."""

    Plain.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    validator = jsonschema_rs.validator_for(json.loads(render_manifest_schema()))
    for document in yaml.load_all(sample.read_text(), Plain):
        assert [error.message for error in validator.iter_errors(document)] == []


def test_the_schema_for_editors_refuses_a_slip() -> None:
    document: dict[str, Any] = {
        "apiVersion": "headrace.dev/v1alpha1",
        "kind": "StreamPipeline",
        "metadata": {"name": "x"},
        "spec": {"topics": [{"name": "a", "partitons": 3}]},
    }
    assert not jsonschema_rs.validator_for(json.loads(render_manifest_schema())).is_valid(document)
