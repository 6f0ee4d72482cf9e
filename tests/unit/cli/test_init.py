"""`headrace init` writes a manifest that is valid whatever was answered, and never over a file."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from headrace.cli.main import app
from headrace.cli.starter import FORMATS, Starter
from headrace.core.load import load

names = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True)


@given(
    st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True),
    names,
    st.sampled_from(FORMATS),
    names,
    st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_answers_without_a_fault_make_a_valid_manifest(
    name: str, topic: str, format_: str, key: str, counts: bool
) -> None:
    starter = Starter(name, topic, format_, key, counts)  # type: ignore[arg-type]
    if starter.faults():
        return
    files = starter.files()
    loaded = load(files["pipeline.yaml"])
    assert [str(problem) for problem in loaded.problems] == []
    assert len(loaded.pipelines[0].jobs) == counts
    if counts:
        cases = yaml.safe_load(files["tests/counts.yaml"])["cases"]
        columns = {column.name for column in loaded.pipelines[0].topic(topic).schema.columns}
        assert all(set(event) == columns for case in cases for event in case["given"][topic])


@pytest.mark.parametrize(
    "starter",
    [Starter("My Shop"), Starter("shop", topic="counts"), Starter("shop", key="amount"), Starter("shop", key="a-b")],
)
def test_answers_that_cannot_be_are_told(starter: Starter) -> None:
    assert len(starter.faults()) == 1


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["init", *arguments])
    return result.exit_code, result.output


def test_it_writes_a_folder_says_how_to_go_on_and_writes_nothing_over(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "shop"
    code, said = run("shop", "--topic", "orders", "--format", "avro", "--dir", str(folder), "--yes")
    assert code == 0
    assert "headrace up -f pipeline.yaml" in said
    assert "headrace send orders" in said
    written = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
    assert written == {"pipeline.yaml", "tests/counts.yaml", "streampipeline.schema.json"}
    manifest = (folder / "pipeline.yaml").read_text()
    assert manifest.startswith("# yaml-language-server: $schema=streampipeline.schema.json\n")
    (folder / "pipeline.yaml").write_text("mine")
    code, said = run("shop", "--dir", str(folder), "--yes")
    assert code == 2
    assert "nothing was written" in said
    assert (folder / "pipeline.yaml").read_text() == "mine"


def test_a_wrong_answer_is_wrong_usage(tmp_path: Path) -> None:
    assert run("shop", "--format", "XML", "--dir", str(tmp_path / "x"))[0] == 2
    assert run("No Name", "--dir", str(tmp_path / "x"))[0] == 2
    assert not (tmp_path / "x").exists()
