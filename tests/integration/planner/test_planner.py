"""The resident planner on Flink's real client: it checks, tells columns, comes back after a crash, and ends with its run;
and `headrace validate --deep`, which is made of it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from headrace.core.inference import load_for_inference
from headrace.core.load import load
from headrace.core.pipeline import Pipeline
from headrace.core.plan import plan
from headrace.local.background import Background
from headrace.local.flink_jobs import make_runner
from headrace.local.flink_words import complaints_of
from headrace.local.offline import NOWHERE, infer_schema
from headrace.local.planner import Planner

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

MANIFEST = """\
apiVersion: headrace.dev/v1alpha1
kind: StreamPipeline
metadata: {name: rides}
spec:
  topics:
    - name: rides
      keyFields: [city]
      id: {field: ride_id, window: 1h}
      eventTime: {field: at, outOfOrderness: 1s}
      schema:
        definition: |
          {"type": "object", "required": ["ride_id", "city", "fare", "at"], "properties": {
            "ride_id": {"type": "string"}, "city": {"type": "string"}, "fare": {"type": "number"},
            "tip": {"type": "number"}, "at": {"type": "string", "format": "date-time"}}}
    - name: totals
      keyFields: [city, window_start]
      cleanupPolicy: [compact, delete]
      schema:
        definition: |
          {"type": "object", "required": ["city", "window_start", "fare", "rides"], "properties": {
            "city": {"type": "string"}, "window_start": {"type": "string", "format": "date-time"},
            "fare": {"type": "number"}, "rides": {"type": "integer"}}}
  jobs:
    - name: totals
      inputs: [rides]
      output: totals
      sql: |
        SELECT city, window_start,
          SUM(fare) AS fare, COUNT(*) AS rides
        FROM TABLE(TUMBLE(TABLE rides, DESCRIPTOR(`at`), INTERVAL '1' MINUTE))
        GROUP BY city, window_start, window_end
"""


def pipeline(text: str = MANIFEST) -> Pipeline:
    loaded = load(text, "rides.yaml")
    assert not loaded.problems, loaded.problems
    return loaded.pipelines[0]


def answer_to(services: Background, planner: Planner, text: str) -> list[str]:
    document = plan(pipeline(text), NOWHERE).jobs[0].document
    return [str(complaint) for complaint in complaints_of(services.call(planner.check(document)))]


@pytest.fixture(scope="module")
def planner(services: Background) -> Iterator[Planner]:
    runner = services.call(make_runner(services.site, services.spawner))
    made = Planner(services.site, services.spawner, runner, {}, record=False)
    yield made
    services.call(made.close())
    assert made.pid is None


def test_one_client_answers_for_many_jobs(services: Background, planner: Planner) -> None:
    assert answer_to(services, planner, MANIFEST) == []
    first = planner.pid
    assert answer_to(services, planner, MANIFEST.replace("SUM(fare)", "SUM(fair)")) == [
        "line 2 of its sql, column 7: there is no column 'fair' here (did you mean 'fare'?)"
    ]
    misfit = MANIFEST.replace("COUNT(*) AS rides", "CAST(COUNT(*) AS STRING) AS rides").replace(
        "AS fare", "AS sum_fare"
    )
    assert answer_to(services, planner, misfit) == [
        "its SELECT gives no column 'fare', which the output's schema has (it gives 'sum_fare' besides: rename with AS)",
        "column 'rides' of its SELECT is STRING; the output's schema makes it BIGINT "
        "(CAST it in the SELECT, or change the schema)",
    ]
    # What Flink's planner sees behind the columns: a table without keys takes no updates.
    start = MANIFEST.index("        SELECT city")
    updating = (
        MANIFEST[:start] + "        SELECT city, MAX(`at`) AS window_start, SUM(fare) AS fare, COUNT(*) AS rides\n"
    )
    updating += "        FROM rides GROUP BY city\n"
    keyless = updating.replace(
        "keyFields: [city, window_start]\n      cleanupPolicy: [compact, delete]", "keyFields: []"
    )
    (told,) = answer_to(services, planner, keyless)
    assert "update" in told
    assert planner.pid == first


@pytest.mark.parametrize("format_", ["JSON", "Avro", "Protobuf"])
def test_a_schema_is_inferred_for_an_output_without_one(services: Background, planner: Planner, format_: str) -> None:
    start = MANIFEST.index("      schema:", MANIFEST.index("name: totals"))
    text = MANIFEST[:start] + MANIFEST[MANIFEST.index("  jobs:") :]
    text = text.replace("COUNT(*) AS rides", "COUNT(*) AS rides, MAX(tip) AS tip")
    (found,) = load_for_inference(text, "rides.yaml")
    assert isinstance(found, Pipeline)
    schema, complaints = services.call(infer_schema(planner, found, found.jobs[0], format_))  # type: ignore[arg-type]
    assert complaints == ()
    body = "".join(f"          {line}\n" for line in schema.splitlines())
    completed = text.replace(
        "cleanupPolicy: [compact, delete]\n",
        f"cleanupPolicy: [compact, delete]\n      schema:\n        format: {format_}\n        definition: |\n{body}",
    )
    columns = {column.name: column.required for column in pipeline(completed).topic("totals").schema.columns}
    assert columns == {"city": True, "window_start": True, "fare": True, "rides": True, "tip": False}
    assert answer_to(services, planner, completed) == []


def test_a_crash_is_an_error_that_passes(services: Background, planner: Planner) -> None:
    services.call(planner.start())
    first = planner.pid
    assert first is not None
    jvm = psutil.Process(first).children()[0]
    asked = services.call(_killed_while_it_answers(planner, first, jvm))
    assert isinstance(asked, OSError)
    assert answer_to(services, planner, MANIFEST) == []
    assert planner.pid != first
    gone, left = psutil.wait_procs([jvm], timeout=30)
    assert (gone, left) == ([jvm], [])


async def _killed_while_it_answers(planner: Planner, pid: int, jvm: psutil.Process) -> object:
    import asyncio

    asking = asyncio.create_task(planner.check(plan(pipeline(), NOWHERE).jobs[0].document))
    await asyncio.sleep(0)
    os.kill(pid, signal.SIGKILL)
    jvm.kill()
    return (await asyncio.gather(asking, return_exceptions=True))[0]


def validate(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    file = folder / "rides.yaml"
    file.write_text(text)
    command = [sys.executable, "-m", "headrace.cli.main", "validate", "--deep", "-f", "rides.yaml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=200, check=False)


def test_validate_deep_names_the_line_of_the_manifest(tmp_path: Path) -> None:
    text = MANIFEST.replace("SUM(fare)", "SUM(fair)")
    done = validate(tmp_path, text)
    assert done.returncode == 1
    line = next(number for number, line in enumerate(text.splitlines(), 1) if "SUM(fair)" in line)
    column = text.splitlines()[line - 1].index("fair") + 1
    place = f"rides.yaml:{line}:{column}: spec.jobs[0].sql: there is no column 'fair' here (did you mean 'fare'?)"
    assert place in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / ".headrace").exists()  # nothing runs, and nothing is left
