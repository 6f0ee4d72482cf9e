"""Rights of the least kind: what a part's document names is granted, and nothing else is."""

from __future__ import annotations

import re
from typing import Any

import pytest

from headrace.core.documents import JobDocument
from headrace.kubernetes.text import Manifest

from .rendered import PLATFORMS, objects, pipeline_of, plan_of, sources

Grant = tuple[str, str, str, str]
SOURCES = sources()
SECURE = pytest.mark.parametrize(
    ("source", "platform"), [(source, platform) for source in SOURCES for platform in ("golden", "elsewhere")]
)


def grants(manifests: tuple[Manifest, ...], user: str) -> set[Grant]:
    """(resource type, pattern, name, operation) of a user."""
    (found,) = [m for m in manifests if m["kind"] == "KafkaUser" and m["metadata"]["name"] == user]
    return {
        (acl["resource"]["type"], acl["resource"]["patternType"], acl["resource"]["name"], operation)
        for acl in found["spec"]["authorization"]["acls"]
        for operation in acl["operations"]
    }


def topic(name: str, *operations: str) -> set[Grant]:
    return {("topic", "literal", name, operation) for operation in operations}


def group(name: str) -> set[Grant]:
    return {("group", "literal", name, "Read")}


def options(document: JobDocument) -> list[dict[str, str]]:
    """The options of each table that the job declares."""
    tables = [text for text in document.statements if text.startswith("CREATE TEMPORARY TABLE")]
    return [dict(re.findall(r"'([^']+)' = '([^']*)'", text.split(") WITH (", 1)[1])) for text in tables]


@SECURE
def test_a_job_may_do_what_its_statements_do_and_no_more(source: str, platform: str) -> None:
    pipeline = pipeline_of(SOURCES[source])
    manifests = objects(pipeline, PLATFORMS[platform])
    for declared, job in zip(pipeline.jobs, plan_of(pipeline, PLATFORMS[platform]).jobs, strict=True):
        expected: set[Grant] = set()
        for table in options(job.document):
            if "properties.group.id" in table:
                expected |= topic(table["topic"], "Read") | group(table["properties.group.id"])
            else:
                expected |= topic(table["topic"], "Write")
        found = grants(manifests, user_of(manifests, "job", declared.name))
        prefixes = {name for kind, pattern, name, _ in found if kind == "transactionalId" and pattern == "prefix"}
        used = {t["sink.transactional-id-prefix"] for t in options(job.document) if "sink.transactional-id-prefix" in t}
        assert all(any(name.startswith(prefix) for prefix in prefixes) for name in used)
        assert len(prefixes) == (1 if used else 0)
        assert {grant for grant in found if grant[0] != "transactionalId"} == expected


def user_of(manifests: tuple[Manifest, ...], role: str, part: str) -> str:
    def is_it(manifest: dict[str, Any]) -> bool:
        labels = manifest["metadata"]["labels"]
        return bool(labels.get("app.kubernetes.io/component") == role and labels.get("headrace.dev/part") == part)

    (found,) = [m["metadata"]["name"] for m in manifests if m["kind"] == "KafkaUser" and is_it(m)]
    return str(found)


def test_gateway_views_and_loader() -> None:
    manifests = objects(pipeline_of(SOURCES["clickstream"]), PLATFORMS["golden"])
    gateway = grants(manifests, "clickstream-gateway")
    assert topic("clickstream.clicks", "Read", "Write") <= gateway
    assert topic("clickstream.page_views", "Read") <= gateway
    # What only jobs write, the gateway cannot; nor does it see dead letters, for it answers invalid events with 4xx.
    assert not gateway & topic("clickstream.page_views", "Write")
    assert not any(name == "clickstream.dead-letters" for _, _, name, _ in gateway)
    assert not any(kind == "group" for kind, *_ in gateway)

    views = grants(manifests, "clickstream-views")
    assert views == topic("clickstream.page_views", "Read") | topic("clickstream.sessions", "Read")

    assert grants(manifests, "clickstream-sink-raw-clicks") == (
        topic("clickstream.clicks", "Read")
        | topic("clickstream.dead-letters", "Read", "Write")
        | group("clickstream.raw-clicks")
    )


@SECURE
def test_nobody_may_do_something_to_everything(source: str, platform: str) -> None:
    manifests = objects(pipeline_of(SOURCES[source]), PLATFORMS[platform])
    for user in (m["metadata"]["name"] for m in manifests if m["kind"] == "KafkaUser"):
        for kind, _, name, operation in grants(manifests, user):
            assert name not in ("", "*"), user
            assert kind != "cluster", user
            assert operation in ("Read", "Write", "Describe"), user


def test_without_identities_there_are_no_users() -> None:
    manifests = objects(pipeline_of(SOURCES["clickstream"]), PLATFORMS["trial"])
    assert not [m for m in manifests if m["kind"] in ("KafkaUser", "TriggerAuthentication")]
