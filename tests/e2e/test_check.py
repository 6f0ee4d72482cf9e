"""The how-to's commands one by one; then one record too many or too few on real parts makes the check fail."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import snowflake.connector
from confluent_kafka import Producer

from headrace_apps.demo.check.fetch import fetch_topic
from headrace_apps.demo.check.places import parse_places
from headrace_apps.demo.ledger import Kind, read_ledger

if TYPE_CHECKING:
    from tests.e2e.conftest import Leftovers, Shell

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

HEADRACE = ("-m", "headrace.cli.main")
PIPELINE = Path(__file__).parents[2] / "manifests/samples/clickstream/pipeline.yaml"
TOPICS = [part for topic in ("clicks", "clean_clicks", "page_views", "sessions") for part in ("--topic", topic)]


def produce(bootstrap: str, topic: str, key: bytes | None, value: bytes | None) -> None:
    producer = Producer({"bootstrap.servers": bootstrap})
    producer.produce(topic, value, key)
    assert producer.flush(30) == 0


def execute(connection: Any, sql: str) -> int:
    with snowflake.connector.connect(**connection) as session, session.cursor() as cursor:
        cursor.execute(sql)
        return int(cursor.rowcount or 0)


def test_the_check_passes_and_then_fails_for_a_single_record(shell: Shell, state: Path, leftovers: Leftovers) -> None:
    at = ("--state", str(state))
    up = shell.start(*HEADRACE, "up", "-f", str(PIPELINE), *at)
    up.wait_for_line("up: ", 400)
    status = json.loads(shell.run(*HEADRACE, "status", "--json", *at, seconds=60)[1])
    code, token = shell.run(*HEADRACE, "token", *TOPICS, "--read", "--write", "--ttl", "2h", *at, seconds=60)
    assert code == 0
    token_file, ledger = state / "token", state / "ledger.jsonl"
    token_file.write_text(token)
    [gateway] = status["addresses"]["gateways"].values()
    host, port = status["addresses"]["snowflake"].split(":")
    common = ["--gateway", gateway, "--token-file", str(token_file), "--bootstrap", status["addresses"]["kafka"]]

    generate = ("-m", "headrace_apps.demo.generate", *common, "--ledger", str(ledger))
    code, output = shell.run(*generate, "--duration", "15", "--rate", "200", seconds=400)
    assert code == 0, output

    warehouse = {"account": "headrace", "user": "headrace", "host": host, "port": port, "protocol": "http"}
    places = [*common, *(part for name, value in warehouse.items() for part in (f"--snowflake-{name}", value))]
    places += ["--snowflake-database", "HEADRACE"]
    check = ("-m", "headrace_apps.demo.check", *places, "--ledger", str(ledger))
    code, output = shell.run(*check, "--wait", "180", seconds=300)
    assert code == 0, output

    looked = parse_places(places)
    # One view more in a copy of the last window's row: the same key, so the table of windows has it twice.
    row = list(fetch_topic(looked.bootstrap, "clickstream.page_views"))[-1]
    value = json.loads(row.value or b"")
    produce(looked.bootstrap, "clickstream.page_views", row.key, json.dumps(value).encode())
    code, output = shell.run(*check, seconds=300)
    assert code == 1, output
    assert f"{value['page']} " in output
    assert "2 times" in output

    loaded = next(entry.sent.id for entry in read_ledger(ledger) if entry.sent.kind is Kind.EVENT)
    assert execute(looked.snowflake, f"DELETE FROM {looked.database}.RAW.CLICKS WHERE EVENT_ID = '{loaded}'") == 1
    code, output = shell.run(*check, seconds=300)
    assert code == 1
    assert f"{loaded}: missing" in output

    code, _ = shell.run(*HEADRACE, "down", *at, seconds=200)
    assert code == 0
    assert up.wait(60) == 0
    assert leftovers.after(20) == []
