"""The figures that traffic and check rely on are those of the manifests."""

from __future__ import annotations

import json
from typing import Any

import yaml
from tests.unit.demo.demo_runs import REPOSITORY

from headrace_apps.demo.sample import Sample, manifest_path, parse_manifest
from headrace_apps.demo.samples import SAMPLES
from headrace_apps.demo.samples.clickstream import names as clickstream
from headrace_apps.demo.samples.clickstream.purchases import parse_purchases, read_purchases
from headrace_apps.demo.samples.iot import names as iot
from headrace_apps.demo.samples.transactions import names as transactions


def spec_of(name: str) -> dict[str, Any]:
    manifest: dict[str, Any] = yaml.safe_load((REPOSITORY / manifest_path(name)).read_text())
    assert manifest["metadata"]["name"] == name
    spec: dict[str, Any] = manifest["spec"]
    return spec


def sql_of(spec: dict[str, Any], job: str) -> str:
    [sql] = [one["sql"] for one in spec["jobs"] if one["name"] == job]
    return str(sql)


def seconds(ms: int) -> str:
    return f"INTERVAL '{ms // 1000}' SECOND"


def events_topic(spec: dict[str, Any], sample: Sample) -> dict[str, Any]:
    [topic] = [topic for topic in spec["topics"] if topic["name"] == sample.events]
    return dict(topic)


def test_each_sample_names_what_its_manifest_has() -> None:
    for name, sample in SAMPLES.items():
        manifest = parse_manifest((REPOSITORY / manifest_path(name)).read_text())
        spec = spec_of(name)
        assert {job["output"] for job in spec["jobs"]} == set(sample.outputs)
        assert sample.followed in sample.outputs
        assert sample.view in manifest.views
        assert sample.references_view is None or sample.references_view in manifest.views
        assert {sign.topic for sign in sample.signs} <= set(sample.outputs)
        assert events_topic(spec, sample)["eventTime"]["outOfOrderness"] == "2s"
        assert sample.events in {ingest["topic"] for ingest in spec["ingest"]}


def test_clickstream_counts_as_its_manifest_does() -> None:
    spec = spec_of("clickstream")
    assert seconds(clickstream.WINDOW_MS) in sql_of(spec, clickstream.COUNTING_JOB)
    assert seconds(clickstream.GAP_MS) in sql_of(spec, clickstream.SESSIONS_JOB)
    assert sql_of(spec, clickstream.CLEANING_JOB)
    definition = json.loads(events_topic(spec, SAMPLES["clickstream"])["schema"]["definition"])
    assert tuple(definition["properties"]) == clickstream.FIELDS
    assert [sink["name"] for sink in spec["sinks"]] == [clickstream.SINK]


def test_iot_averages_and_alerts_as_its_manifest_does() -> None:
    spec = spec_of("iot")
    averages = sql_of(spec, iot.AVERAGES_JOB)
    assert f"{seconds(iot.SLIDE_MS)}, {seconds(iot.SIZE_MS)}" in averages
    assert f"celsius > {iot.BOUND_CELSIUS}" in sql_of(spec, iot.TOO_HOT_JOB)
    assert seconds(iot.GAP_MS) in sql_of(spec, iot.SILENT_JOB)
    assert {sink["name"] for sink in spec["sinks"]} == {iot.READINGS_SINK, iot.ALERTS_SINK}


def test_transactions_join_and_count_as_their_manifest_does() -> None:
    spec = spec_of("transactions")
    velocity = sql_of(spec, transactions.VELOCITY_JOB)
    assert f"payments > {transactions.AT_MOST}" in velocity
    assert "INTERVAL '1' MINUTE" in velocity
    assert transactions.WITHIN_MS == 60_000
    assert "FOR SYSTEM_TIME AS OF p.paid_at" in sql_of(spec, transactions.ENRICH_JOB)
    assert [sink["name"] for sink in spec["sinks"]] == [transactions.SINK]
    [default] = [e["value"] for e in spec["ingest"][0]["enrich"] if e["from"] == "Default"]
    assert default == transactions.DEFAULT_CHANNEL


def test_real_purchases_are_there_and_become_clicks() -> None:
    purchases = read_purchases()
    assert len(purchases) == 6_919
    assert len({p.customer for p in purchases}) == 2_357
    [one] = parse_purchases([" 00004 0001 19970118  2   29.73\n"])
    assert one.to_click() == {
        "user_id": "cdnow-0001",
        "page": "/checkout/confirmed",
        "referrer": "cdnow:1997-01-18",
        "amount": 29.73,
    }
