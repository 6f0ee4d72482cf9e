"""The commands: exit codes, and what goes where."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import jwt
import pytest
from typer.testing import CliRunner, Result

from headrace.cli import logs
from headrace.cli import up as up_command
from headrace.cli.main import app
from headrace.local.keys import make_keys
from headrace.local.state import Records, TopicRecord

SAMPLE = Path(__file__).parents[3] / "manifests" / "samples" / "clickstream" / "pipeline.yaml"


def headrace(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    file = tmp_path / "wrong.yaml"
    file.write_text(
        SAMPLE.read_text().replace("inputs: [clicks]", "inputs: [cliks]", 1).replace("kind: Stre", "kind: Stre")
    )
    return file


def test_a_valid_manifest_is_0(tmp_path: Path) -> None:
    result = headrace("validate", "-f", SAMPLE)
    assert (result.exit_code, result.output) == (0, "clickstream: valid\n")


def test_a_wrong_manifest_is_1_with_file_line_field_and_hint(wrong: Path) -> None:
    result = headrace("validate", "-f", wrong)
    assert result.exit_code == 1
    line = next(n for n, text in enumerate(wrong.read_text().splitlines(), 1) if "[cliks]" in text)
    assert f"{wrong}:{line}:" in result.stderr
    assert "spec.jobs[0].inputs[0]" in result.stderr
    assert "did you mean 'clicks'?" in result.stderr


def test_a_manifest_that_is_not_there_is_2(tmp_path: Path) -> None:
    result = headrace("validate", "-f", tmp_path / "none.yaml")
    assert result.exit_code == 2
    assert "cannot be read" in result.stderr


def test_a_manifest_that_is_no_text_is_1(tmp_path: Path) -> None:
    file = tmp_path / "noise.yaml"
    file.write_bytes(bytes(range(256)))
    assert headrace("validate", "-f", file).exit_code == 1


PLATFORM = """\
apiVersion: headrace.dev/v1alpha1
kind: StreamPlatform
metadata: {name: default}
spec:
  kafka: {cluster: main}
  registry: {url: "https://registry"}
  flink: {checkpointStorage: "s3://bucket/checkpoints"}
  auth: {issuer: "https://id.example.com", jwksUrl: "https://id.example.com/keys"}
  images: {headrace: "headrace:0.1.0", flink: "headrace-flink:0.1.0"}
"""


@pytest.fixture
def platform(tmp_path: Path) -> Path:
    file = tmp_path / "platform.yaml"
    file.write_text(PLATFORM)
    return file


def test_a_platform_is_valid_by_name(platform: Path) -> None:
    result = headrace("validate", "-f", platform)
    assert (result.exit_code, result.output) == (0, "default: valid (StreamPlatform)\n")


@pytest.mark.parametrize("command", ["up", "plan"])
def test_files_without_a_pipeline_are_1_and_nothing_runs(tmp_path: Path, platform: Path, command: str) -> None:
    result = headrace(command, "-f", platform, "--state", tmp_path / "state")
    assert result.exit_code == 1
    assert "holds no StreamPipeline" in result.stderr
    assert not (tmp_path / "state").exists()


def test_a_platform_beside_a_pipeline_is_said_to_be_ignored(tmp_path: Path, platform: Path) -> None:
    result = headrace("plan", "-f", SAMPLE, "-f", platform, "--state", tmp_path / "state")
    assert result.exit_code == 0
    assert "StreamPlatform 'default' is ignored" in result.stderr


def test_a_name_in_two_files_is_a_problem(tmp_path: Path) -> None:
    copy = tmp_path / "copy.yaml"
    copy.write_text(SAMPLE.read_text())
    result = headrace("validate", "-f", SAMPLE, "-f", copy)
    assert result.exit_code == 1
    assert "is declared in another file, too" in result.stderr


def test_a_plan_without_a_run_shows_that_everything_would_be_made_and_makes_nothing(tmp_path: Path) -> None:
    result = headrace("plan", "-f", SAMPLE, "--state", tmp_path / "state")
    assert result.exit_code == 0
    assert "+ topic/clickstream.clicks" in result.output
    assert "topic/clickstream.dead-letters" in result.output
    assert not (tmp_path / "state").exists()


def test_a_plan_without_a_run_shows_which_recorded_topics_would_be_deleted(tmp_path: Path) -> None:
    records = Records.read(tmp_path)
    records.topics["clickstream.clicks"] = TopicRecord(owner="clickstream", deletion_policy="Retain")
    records.topics["clickstream.gone"] = TopicRecord(owner="clickstream", deletion_policy="Delete")
    records.topics["other.stays"] = TopicRecord(owner="other", deletion_policy="Delete")
    records.save(tmp_path)
    result = headrace("plan", "-f", SAMPLE, "--state", tmp_path)
    assert "- topic/clickstream.gone" in result.output
    assert "irreversible: the topic 'clickstream.gone' and its events" in result.output
    assert "+ topic/clickstream.clicks " not in result.output
    assert "other.stays" not in result.output
    assert "are known when it runs" in result.output


def test_up_with_a_wrong_manifest_starts_nothing(tmp_path: Path, wrong: Path) -> None:
    assert headrace("up", "-f", wrong, "--state", tmp_path / "state").exit_code == 1
    assert not (tmp_path / "state").exists()


def test_a_state_folder_that_is_a_file_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    command = [sys.executable, "-m", "headrace.cli.main", "up", "-f", str(SAMPLE), "--state", str(tmp_path / "file")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3
    assert str(tmp_path / "file") in done.stderr
    assert "--state" in done.stderr
    assert "defect" not in done.stderr


def test_up_without_a_manifest_is_wrong_usage(tmp_path: Path) -> None:
    assert headrace("up", "--state", tmp_path / "state").exit_code == 2


def test_status_without_a_run_is_1(tmp_path: Path) -> None:
    result = headrace("status", "--state", tmp_path, "--json")
    assert (result.exit_code, json.loads(result.output)) == (1, {"running": False})


def test_down_without_a_run_is_0_and_makes_nothing(tmp_path: Path) -> None:
    assert headrace("down", "--state", tmp_path).exit_code == 0
    assert headrace("down", "--state", tmp_path / "new").exit_code == 0
    assert not (tmp_path / "new").exists()


def test_a_token_is_refused_where_no_run_has_made_a_key_and_none_is_made(tmp_path: Path) -> None:
    result = headrace("token", "--state", tmp_path / "elsewhere", "--scope", "shop.orders:write")
    assert result.exit_code == 2
    assert "no `headrace up` has run on" in result.stderr
    assert not (tmp_path / "elsewhere").exists()


def test_a_token_is_all_that_is_printed(tmp_path: Path) -> None:
    make_keys(tmp_path)
    result = headrace("token", "--state", tmp_path, "--scope", "shop.orders:write", "--ttl", "1h30m")
    claims = jwt.decode(result.output.strip(), options={"verify_signature": False})
    assert claims["scope"] == "shop.orders:write"
    assert claims["exp"] - claims["iat"] == 5400


def test_a_topic_belongs_to_the_states_only_pipeline(tmp_path: Path) -> None:
    make_keys(tmp_path)
    records = Records.read(tmp_path)
    records.pipelines = ["shop"]
    records.save(tmp_path)
    result = headrace("token", "--state", tmp_path, "--topic", "orders", "--topic", "web.clicks", "--write", "--read")
    claims = jwt.decode(result.output.strip(), options={"verify_signature": False})
    assert claims["scope"] == "shop.orders:write shop.orders:read web.clicks:write web.clicks:read"


@pytest.mark.parametrize(
    "arguments", [["--topic", "orders", "--write"], ["--topic", "a.b"], [], ["--scope", "a", "--ttl", "soon"]]
)
def test_a_token_that_says_too_little_is_wrong_usage(tmp_path: Path, arguments: list[str]) -> None:
    make_keys(tmp_path)
    assert headrace("token", "--state", tmp_path, *arguments).exit_code == 2


def test_logs_are_printed_with_the_name_of_their_part(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "kafka.log").write_text("one\ntwo\n")
    (tmp_path / "logs" / "gateway-shop.log").write_text("served\n")
    assert headrace("logs", "kafka", "-n", "1", "--state", tmp_path).output == "kafka │ two\n"
    assert "gateway-shop │ served" in headrace("logs", "gateway", "--state", tmp_path).output
    nothing = headrace("logs", "flink", "--state", tmp_path)
    assert nothing.exit_code == 2
    assert "there are: gateway-shop, kafka" in nothing.stderr


def test_a_log_that_goes_away_while_it_is_followed_is_read_anew_when_it_is_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "kafka.log"
    assert logs._print_new("kafka", log, 500, 5) == 0
    log.write_text("back\n")
    assert logs._print_new("kafka", log, 0, 5) == 5
    assert capsys.readouterr().out == "kafka │ back\n"


ONE_TOPIC = """\
apiVersion: headrace.dev/v1alpha1
kind: StreamPipeline
metadata: {name: notes}
spec:
  topics:
    - name: notes
      schema: {format: JSON, definition: '{"type": "object", "properties": {"text": {"type": "string"}}}'}
  ingest: [{topic: notes}]
"""


def test_a_part_that_cannot_be_had_is_3_without_a_trace(tmp_path: Path) -> None:
    manifest = tmp_path / "notes.yaml"
    manifest.write_text(ONE_TOPIC)
    command = [sys.executable, "-m", "headrace.cli.main", "up", "-f", str(manifest), "--state", str(tmp_path / "state")]
    environ = {
        **os.environ,
        "HEADRACE_CACHE": str(tmp_path / "empty"),
        "HEADRACE_MAVEN_MIRROR": "http://127.0.0.1:1/",
    }
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environ, check=False)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "cannot reach http://127.0.0.1:1/" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_second_up_says_which_of_its_options_come_too_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def taken(*_: object) -> dict[str, int]:
        return {"code": 0}

    monkeypatch.setattr(up_command, "ask", taken)
    late = up_command.Wish((), {}, tmp_path, {"kafka": 9092}, real_snowflake=True)
    assert asyncio.run(up_command.hand_over(late)) == 0
    assert "the port of kafka and --real-snowflake are ignored" in capsys.readouterr().err
    assert asyncio.run(up_command.hand_over(up_command.Wish((), {}, tmp_path, {}, real_snowflake=False))) == 0
    assert capsys.readouterr().err == ""
