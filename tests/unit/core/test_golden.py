"""Scenarios a newcomer can read: a manifest, the plan it becomes, and every document and statement that runs.

Each folder of tests/golden/core holds a pipeline.yaml and what comes of it; `make golden-update` writes them anew.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_regressions.file_regression import FileRegressionFixture

from headrace.core.diff import Observed, diff
from headrace.core.documents import Auth, JobDocument, SnowflakeConnection
from headrace.core.load import load
from headrace.core.plan import plan
from headrace.core.platform import FlinkDefaults, Platform
from headrace.core.text import render_plan, render_steps

GOLDEN = Path(__file__).parents[2] / "golden" / "core"
SAMPLES = Path(__file__).parents[3] / "manifests" / "samples"
# Addresses that never change.
PLATFORM = Platform(
    name="default",
    kafka=(("bootstrap.servers", "127.0.0.1:9092"),),
    registry_url="http://127.0.0.1:8081",
    flink=FlinkDefaults("/state/checkpoints", "/state/savepoints"),
    auth=Auth(issuer="https://headrace.local", audience="headrace", jwks_file="/state/jwks.json"),
    snowflake=SnowflakeConnection(account="local", user="headrace", host="127.0.0.1", port=8888, protocol="http"),
    database="HEADRACE",
)


def written(scenario: str, platform: Platform) -> dict[str, str]:
    """File name → text, for everything that comes of a scenario's manifest."""
    own = GOLDEN / scenario / "pipeline.yaml"
    source = own if own.exists() else SAMPLES / scenario / "pipeline.yaml"
    loaded = load(source.read_text(encoding="utf-8"), source.name)
    assert not loaded.problems, [str(problem) for problem in loaded.problems]
    (pipeline,) = loaded.pipelines
    made = plan(pipeline, platform)
    return {
        "plan.txt": render_plan(made) + "\n" + render_steps(diff(made, Observed())),
        "gateway.json": made.gateway.document.to_json(),
        **{f"job-{job.name.split('.')[-1]}.sql": as_sql(job.document) for job in made.jobs},
        **{f"loader-{loader.document.sink}.json": loader.document.to_json() for loader in made.loaders},
    }


def as_sql(document: JobDocument) -> str:
    """A job document as a script a person can read."""
    head = [f"-- job {document.name}, parallelism {document.parallelism}"]
    head += [f"SET '{key}' = '{value}';" for key, value in document.config.items()]
    statements = [f"{statement};" for statement in (*document.statements, *document.inserts)]
    return "\n".join(head) + "\n\n" + "\n\n".join(statements) + "\n"


SCENARIOS = sorted(path.name for path in GOLDEN.iterdir())
FILES = [(scenario, name) for scenario in SCENARIOS for name in written(scenario, PLATFORM)]


@pytest.mark.parametrize(("scenario", "name"), FILES)
def test_what_a_manifest_becomes(scenario: str, name: str, file_regression: FileRegressionFixture) -> None:
    file_regression.check(written(scenario, PLATFORM)[name], fullpath=GOLDEN / scenario / name)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_no_golden_file_is_left_over(scenario: str) -> None:
    kept = {path.name for path in (GOLDEN / scenario).iterdir()} - {"pipeline.yaml", "README.md"}
    assert kept == set(written(scenario, PLATFORM))
