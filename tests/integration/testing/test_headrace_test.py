"""`headrace test` as a user runs it: cases that pass, fail and cannot run, the report, and the samples' own fixtures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[3]
SAMPLES = sorted(folder.parent for folder in (ROOT / "manifests" / "samples").glob("*/tests"))

MANIFEST = """\
apiVersion: headrace.dev/v1alpha1
kind: StreamPipeline
metadata: {name: shop}
spec:
  topics:
    - name: orders
      partitions: 6
      keyFields: [customer]
      id: {field: order_id, window: 1h}
      eventTime: {field: at, outOfOrderness: 1s}
      schema:
        definition: |
          {"type": "object", "required": ["order_id", "customer", "amount", "at"], "properties": {
            "order_id": {"type": "string"}, "customer": {"type": "string"}, "amount": {"type": "integer"},
            "at": {"type": "string", "format": "date-time"}}}
    - name: big
      external: legacy.big-orders
      keyFields: [customer]
      schema:
        definition: |
          {"type": "object", "required": ["order_id", "customer", "amount"], "properties": {
            "order_id": {"type": "string"}, "customer": {"type": "string"}, "amount": {"type": "integer"}}}
    - name: customers
      keyFields: [customer]
      cleanupPolicy: [compact]
      schema:
        definition: |
          {"type": "object", "required": ["customer"], "properties": {
            "customer": {"type": "string"}, "orders": {"type": "integer"}, "share": {"type": "integer"}}}
  jobs:
    - name: big
      inputs: [orders]
      output: big
      guarantee: ExactlyOnce
      parallelism: 4
      sql: SELECT order_id, customer, amount FROM orders WHERE amount >= 100
    - name: customers
      inputs: [big]
      output: customers
      sql: SELECT customer, COUNT(*) AS orders, 1000 / MIN(amount - 100) AS share FROM big GROUP BY customer
""".replace("      external: legacy.big-orders\n", "")

CASES = """\
cases:
  - name: a job reads what another one writes, and the newest row of a key counts
    given:
      orders:
        - {order_id: o1, customer: ann, amount: 120, at: 2026-11-22T10:00:00Z}
        - {order_id: o2, customer: ann, amount: 99, at: 2026-11-22T10:00:01Z}
        - {order_id: o3, customer: ann, amount: 150, at: 2026-11-22T10:00:02Z}
        - {order_id: o3, customer: ann, amount: 150, at: 2026-11-22T10:00:02Z}
        - $raw: "no order"
    expect:
      big: {order: AsGiven, rows: [{order_id: o1}, {order_id: o3}]}
      customers: [{customer: ann, orders: 2, share: 50}]
      deadLetters: [{reason: Malformed, job: big, raw: "no order"}]
  - name: what differs is named
    given:
      orders: [{order_id: o1, customer: ann, amount: 120, at: 2026-11-22T10:00:00Z}, {$raw: "[]"}]
    expect:
      big: [{order_id: o1, amount: 121}]
  - name: a job that fails is an error
    given:
      orders: [{order_id: o1, customer: ann, amount: 100, at: 2026-11-22T10:00:00Z}]
    expect:
      customers: []
"""


def headrace(*arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "headrace.cli.main", "test", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=500, check=False)


def test_cases_pass_fail_and_err_each_by_itself(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(MANIFEST)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "orders.yaml").write_text(CASES)
    done = headrace("-f", "shop.yaml", "--junit", "report.xml", folder=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    for part in (
        "passed  orders: a job reads what another one writes",
        "FAILED  orders: what differs is named",
        '≠ {"order_id": "o1"}',
        "- amount: 121",
        "+ amount: 120",
        '+ {"reason": "Malformed", "topic": "orders", "job": "big", "raw": "[]"}   came unexpected',
        "FAILED  orders: a job that fails is an error",
        "job customers failed: java.lang.ArithmeticException: / by zero",
        "1 passed, 2 failed in ",
    ):
        assert part in done.stdout, done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    root = ElementTree.fromstring((tmp_path / "report.xml").read_bytes())  # noqa: S314 - our own file
    assert {name: root.attrib[name] for name in ("tests", "failures", "errors")} == {
        "tests": "3",
        "failures": "1",
        "errors": "1",
    }
    (suite,) = root
    told = {case.attrib["name"]: [child.tag for child in case] for case in suite}
    assert list(told.values()) == [[], ["failure"], ["error"]]


def test_a_mistake_in_a_fixture_is_told_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(MANIFEST)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "orders.yaml").write_text(CASES.replace("amount: 121", "amuont: 121"))
    done = headrace("-f", "shop.yaml", folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "tests/orders.yaml:18:28: cases[1].expect.big[0].amuont: big has no field 'amuont'" in done.stderr


def test_the_samples_fixtures_pass(tmp_path: Path) -> None:
    files = [argument for sample in SAMPLES for argument in ("-f", sample / "pipeline.yaml")]
    done = headrace(*files, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("passed  ") >= 9
