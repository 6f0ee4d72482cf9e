"""What the runner tells Flink beside the document, and what it prints when a document is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from headrace_flink.build import BuildError, build_jar, digest, sources_root
from headrace_flink.document import JobDocument
from headrace_flink.submit import Cluster, settings_of

ROOT = Path(__file__).parents[3] / "flink_jobs"
DOCUMENT = JobDocument("p.j", 3, {"state.backend.type": "hashmap"}, (), ("INSERT",))


def test_a_session_cluster_gets_a_detached_job_with_its_jars() -> None:
    settings = settings_of(DOCUMENT, Cluster("127.0.0.1:8081", (Path("/a/x.jar"), Path("/b c/y.jar"))), None)
    assert settings == {
        "state.backend.type": "hashmap",
        "pipeline.name": "p.j",
        "parallelism.default": "3",
        "pipeline.jars": "file:///a/x.jar;file:///b%20c/y.jar",
        "execution.target": "remote",
        "execution.attached": "false",
        "rest.address": "127.0.0.1",
        "rest.port": "8081",
        "rest.retry.max-attempts": "5",
        "rest.retry.delay": "1 s",
    }


def test_without_a_job_manager_the_environment_decides_where() -> None:
    assert "execution.target" not in settings_of(DOCUMENT, Cluster(), None)


def test_state_to_resume_from() -> None:
    settings = settings_of(DOCUMENT, Cluster(), "file:///c/chk-7")
    assert settings["execution.state-recovery.path"] == "file:///c/chk-7"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "headrace_flink", "run", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)


def test_a_wrong_document_is_one_line_and_exit_1_without_flink(tmp_path: Path) -> None:
    path = tmp_path / "wrong.json"
    path.write_text("{}")
    done = run(str(path), "--jobmanager", "127.0.0.1:1")
    assert done.returncode == 1
    (line,) = done.stdout.splitlines()
    outcome = json.loads(line)
    assert outcome["name"] == "wrong"
    assert '"document" must be "headrace.job/v1"' in outcome["error"]["message"]


def test_state_belongs_to_one_document(tmp_path: Path) -> None:
    assert run("a.json", "b.json", "--from-state", "file:///x").returncode == 2


def test_the_jar_is_named_by_sources_and_class_path(tmp_path: Path) -> None:
    root = sources_root()
    name = digest(root, [Path("/a/flink-dist-2.2.1.jar")])
    assert name == digest(root, [Path("/elsewhere/flink-dist-2.2.1.jar")])
    assert name != digest(root, [Path("/a/flink-dist-2.2.2.jar")])


def test_building_outside_the_flink_environment_says_so(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="apache-flink is not installed"):
        build_jar(ecj=tmp_path / "ecj.jar", connectors=(), java="java", out=tmp_path)
