"""`headrace render`: the objects and nothing else on standard output; what is wrong on standard error, and then nothing."""

from __future__ import annotations

from pathlib import Path

import yaml
from typer.testing import CliRunner

from headrace.cli.main import app

ROOT = Path(__file__).parents[3]
PIPELINE = ROOT / "manifests" / "samples" / "clickstream" / "pipeline.yaml"
PLATFORM = ROOT / "tests" / "golden" / "kubernetes" / "clickstream" / "platform.yaml"


def run(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["render", *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


def test_it_prints_the_objects_in_the_platforms_namespace_or_the_one_named() -> None:
    code, out, err = run("-f", PIPELINE, "--platform", PLATFORM)
    objects = list(yaml.safe_load_all(out))
    assert (code, err) == (0, "")
    assert {manifest["metadata"]["namespace"] for manifest in objects} == {"streams"}
    assert {"KafkaTopic", "KafkaUser", "FlinkDeployment", "Deployment"} <= {manifest["kind"] for manifest in objects}
    _, elsewhere, _ = run("-f", PIPELINE, "--platform", PLATFORM, "--namespace", "other")
    assert {manifest["metadata"]["namespace"] for manifest in yaml.safe_load_all(elsewhere)} == {"other"}


def test_what_is_wrong_is_told_and_nothing_is_printed(tmp_path: Path) -> None:
    platform = yaml.safe_load(PLATFORM.read_text(encoding="utf-8"))
    del platform["spec"]["snowflake"]
    lacking = tmp_path / "platform.yaml"
    lacking.write_text(yaml.safe_dump(platform), encoding="utf-8")
    assert run("-f", PIPELINE, "--platform", lacking) == (
        1,
        "",
        "clickstream: spec.sinks: needs a Snowflake account, and the platform 'default' has none "
        "(add spec.snowflake to the platform)\n",
    )
    assert run("-f", PIPELINE, "--platform", PIPELINE)[0] == 1
    code, out, err = run("-f", PLATFORM, "--platform", PLATFORM)
    assert (code, out) == (1, "")
    assert "holds no StreamPipeline" in err
