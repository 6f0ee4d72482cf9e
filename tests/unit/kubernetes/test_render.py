"""What a plan becomes on Kubernetes: objects that an API server takes, restricted, guarded, and rolled when they must."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from pytest_regressions.file_regression import FileRegressionFixture

from headrace.core.pipeline import Pipeline
from headrace.kubernetes.render import find_mismatches
from headrace.kubernetes.text import Manifest, to_yaml
from headrace_apps.gateway import __main__ as gateway
from headrace_apps.loader import __main__ as loader

from .kinds import RELIED_ON, faults, neighbours, relied_on
from .rendered import GOLDEN, OWNER, PLATFORMS, groups, objects, pipeline_of, plan_of, platform_with, pod_specs, sources

SOURCES = sources()
CLICKSTREAM = pipeline_of(SOURCES["clickstream"])
EVERYTHING = pytest.mark.parametrize(
    ("source", "platform"), [(source, platform) for source in SOURCES for platform in PLATFORMS]
)


@cache  # no test changes what it looks at
def rendered(source: str, platform: str) -> tuple[Manifest, ...]:
    return objects(pipeline_of(SOURCES[source]), PLATFORMS[platform])


def of_kind(manifests: tuple[Manifest, ...], kind: str) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest["kind"] == kind]


GROUPS = groups(CLICKSTREAM, PLATFORMS["golden"])


def readable(manifests: list[Manifest]) -> str:
    """The documents are golden files of the core's; here they are named, so that a reader sees the objects."""
    text = re.sub(r"(headrace\.dev/document: )'?[0-9a-f]{16}'?", r"\1<digest>", to_yaml(map(without_text, manifests)))
    return re.sub(r"-[0-9a-f]{10}$", "-<digest>", text, flags=re.MULTILINE)


def without_text(manifest: Manifest) -> Manifest:
    if manifest["kind"] != "ConfigMap":
        return manifest
    return {**manifest, "data": dict.fromkeys(manifest["data"], "the document, as in tests/golden/core/clickstream")}


@pytest.mark.parametrize("group", GROUPS)
def test_what_the_clickstream_sample_becomes(group: str, file_regression: FileRegressionFixture) -> None:
    file_regression.check(readable(GROUPS[group]), fullpath=GOLDEN / "clickstream" / f"{group}.yaml")


def test_no_golden_file_is_left_over() -> None:
    kept = {path.stem for path in (GOLDEN / "clickstream").glob("*.yaml")} - {"platform"}
    assert kept == set(GROUPS)


@EVERYTHING
def test_an_api_server_takes_every_object(source: str, platform: str, crds: Path | None) -> None:
    for manifest in rendered(source, platform):
        assert faults(manifest, crds) == [], manifest["metadata"]["name"]
        assert len(manifest["metadata"]["name"]) <= 253


def test_what_is_relied_on_is_in_the_neighbours_crds(crds: Path | None) -> None:
    schemas = neighbours(crds) if crds else {}
    for kind, paths in RELIED_ON.items() if crds else ():
        spec = schemas[kind]["properties"]["spec"]
        for path in paths:
            node: Any = spec
            for part in path.removesuffix(".*").split("."):
                node = node["properties"][part.removesuffix("[]")]
                node = node["items"] if part.endswith("[]") else node
    assert not relied_on("kafka.strimzi.io/v1/KafkaTopic", "partition")


@EVERYTHING
def test_no_two_objects_share_kind_and_name(source: str, platform: str) -> None:
    names = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in rendered(source, platform)]
    assert len(set(names)) == len(names)


def test_rendering_is_a_function_of_its_arguments() -> None:
    assert objects(CLICKSTREAM, PLATFORMS["golden"]) == objects(CLICKSTREAM, PLATFORMS["golden"])


@EVERYTHING
def test_every_pod_meets_the_restricted_standard(source: str, platform: str) -> None:
    for name, (_, spec) in pod_specs(rendered(source, platform)).items():
        security = spec["securityContext"]
        assert security["runAsNonRoot"] is True, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not spec.keys() & {"hostNetwork", "hostPID", "hostIPC"}, name
        assert all(volume.keys() & {"configMap", "secret", "emptyDir"} for volume in spec["volumes"]), name
        for container in spec["containers"]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False, name
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}, name


@EVERYTHING
def test_only_flink_talks_to_the_api_server(source: str, platform: str) -> None:
    manifests = rendered(source, platform)
    accounts = {account["metadata"]["name"]: account for account in of_kind(manifests, "ServiceAccount")}
    for name, (_, spec) in pod_specs(manifests).items():
        if "serviceAccountName" in spec:
            assert accounts[spec["serviceAccountName"]]["automountServiceAccountToken"] is False, name
            assert spec["automountServiceAccountToken"] is False, name


@EVERYTHING
def test_every_pod_is_denied_all_and_has_its_own_edges(source: str, platform: str) -> None:
    manifests = rendered(source, platform)
    policies = of_kind(manifests, "NetworkPolicy")
    (deny,) = [policy for policy in policies if policy["metadata"]["name"].endswith("-default-deny")]
    assert deny["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert not deny["spec"].keys() & {"ingress", "egress"}
    for name, (metadata, _) in pod_specs(manifests).items():
        selecting = [
            policy["metadata"]["name"]
            for policy in policies
            if policy["spec"]["podSelector"]["matchLabels"].items() <= metadata["labels"].items()
        ]
        assert len(selecting) == 3, (name, selecting)
        assert deny["metadata"]["name"] in selecting


@EVERYTHING
def test_what_scales_has_no_replicas_and_one_scaler(source: str, platform: str) -> None:
    manifests = rendered(source, platform)
    scalers = of_kind(manifests, "HorizontalPodAutoscaler") + of_kind(manifests, "ScaledObject")
    scaled = [scaler["spec"]["scaleTargetRef"]["name"] for scaler in scalers]
    assert len(set(scaled)) == len(scaled)
    for deployment in of_kind(manifests, "Deployment"):
        assert ("replicas" in deployment["spec"]) != (deployment["metadata"]["name"] in scaled)


@EVERYTHING
def test_secrets_are_only_referred_to(source: str, platform: str) -> None:
    manifests = rendered(source, platform)
    assert of_kind(manifests, "Secret") == []
    for name, (_, spec) in pod_specs(manifests).items():
        for container in spec["containers"]:
            assert all("valueFrom" in env or env["name"] == "TMPDIR" for env in container.get("env", [])), name


@EVERYTHING
def test_a_part_mounts_the_document_that_it_is_told_to_run(source: str, platform: str) -> None:
    manifests = rendered(source, platform)
    plan = plan_of(pipeline_of(SOURCES[source]), PLATFORMS[platform])
    documents = {config["metadata"]["name"]: config for config in of_kind(manifests, "ConfigMap")}
    assert all(config["immutable"] for config in documents.values())
    mounted = set()
    for name, (metadata, spec) in pod_specs(manifests).items():
        (volume,) = [volume for volume in spec["volumes"] if volume["name"] == "document"]
        config = documents[volume["configMap"]["name"]]
        (file,) = config["data"]
        assert metadata["annotations"]["headrace.dev/document"][:10] == config["metadata"]["name"][-10:]
        assert f"/etc/headrace/document/{file}" in yaml.safe_dump(
            [m for m in manifests if m["metadata"]["name"] == name]
        )
        mounted.add(config["metadata"]["name"])
    assert mounted == set(documents)
    texts = {text for config in documents.values() for text in config["data"].values()}
    assert {job.document.to_json() for job in plan.jobs} <= texts
    assert {loader.document.to_json() for loader in plan.loaders} <= texts


@EVERYTHING
def test_the_parts_take_the_command_lines_they_are_given(source: str, platform: str) -> None:
    """With a document that is not there, the loader ends with 1; with an argument that it does not know, with 2."""
    for _, spec in pod_specs(rendered(source, platform)).values():
        command = spec["containers"][0].get("command", [])
        if "headrace_apps.gateway" in command:
            parsed = gateway.parse_arguments(command[3:])
            assert (parsed.host, parsed.port) == ("0.0.0.0", spec["containers"][0]["ports"][0]["containerPort"])  # noqa: S104
        elif command:
            assert loader.main(command[3:]) == 1


def test_another_document_is_another_config_map_and_rolls_its_part_alone() -> None:
    job = replace(CLICKSTREAM.jobs[0], late="Drop")
    changed = replace(CLICKSTREAM, jobs=(job, *CLICKSTREAM.jobs[1:]))
    before, after = objects(CLICKSTREAM, PLATFORMS["golden"]), objects(changed, PLATFORMS["golden"])
    kept = {to_yaml([manifest]) for manifest in before}
    new = [(m["kind"], m["metadata"]["name"]) for m in after if to_yaml([m]) not in kept]
    assert [kind for kind, _ in new] == ["ConfigMap", "FlinkDeployment"]
    assert new[1][1] == f"clickstream-job-{job.name}"


def test_a_changed_secret_rolls_who_holds_it_alone() -> None:
    def rolled(**secrets: str) -> set[str]:
        pods = pod_specs(objects(CLICKSTREAM, PLATFORMS["golden"], secrets=secrets))
        return {name for name, (metadata, _) in pods.items() if metadata != without[name][0]}

    without = pod_specs(objects(CLICKSTREAM, PLATFORMS["golden"]))
    assert rolled() == set()
    assert rolled(**{"clickstream-gateway": "7"}) == {"clickstream-gateway"}
    assert rolled(snowflake="7") == {"clickstream-sink-raw-clicks"}
    assert rolled(**{"checkpoint-storage": "7"}) == {f"clickstream-job-{job.name}" for job in CLICKSTREAM.jobs}
    assert rolled(**{"main-cluster-ca-cert": "7"}) == set(without)


def test_a_retained_topic_has_no_owner_and_all_else_has() -> None:
    topics = (replace(CLICKSTREAM.topics[0], deletion_policy="Delete"), *CLICKSTREAM.topics[1:])
    manifests = objects(replace(CLICKSTREAM, topics=topics), PLATFORMS["golden"], owner=OWNER)
    ownerless = {m["metadata"]["name"] for m in manifests if "ownerReferences" not in m["metadata"]}
    assert ownerless == {m["metadata"]["name"] for m in of_kind(manifests, "KafkaTopic")} - {"clickstream.clicks"}
    references = [m["metadata"]["ownerReferences"][0] for m in manifests if "ownerReferences" in m["metadata"]]
    assert {reference["uid"] for reference in references} == {OWNER.uid}


def test_a_platform_that_lacks_something_is_told_before() -> None:
    other = replace(CLICKSTREAM, platform="other")
    assert ["; ".join(map(str, find_mismatches(pipeline, platform))) for pipeline, platform in MISMATCHES(other)] == [
        "spec.platformRef.name: is 'other', and the platform is 'default' (give the platform of that name)",
        "metadata.name: '1st' starts with a digit, and Services and Flink's deployments cannot (start with a letter)",
        f"spec.topics[0].name: would be '{'p' * 79}…' in Kafka, of more than 249 characters "
        "(shorten it, or the platform's topicPrefix)",
        "spec.sinks: needs a Snowflake account, and the platform 'default' has none (add spec.snowflake to the platform)",
        "spec.gateway.minReplicas: of the platform 'default' is more than maxReplicas (at most 2)",
        "spec.registry.url: of the platform 'default' names a port that is none: 'http://registry:99999' (1 to 65535)",
        "spec.kafka.bootstrapServers: of the platform 'default' names a port that is none: 'kafka:70000' (1 to 65535)",
    ]


LONG = replace(
    CLICKSTREAM, name="n" * 63, topics=(replace(CLICKSTREAM.topics[0], name="t" * 100),), jobs=(), views=(), sinks=()
)


def MISMATCHES(other: Pipeline) -> list[tuple[Pipeline, Any]]:  # noqa: N802 - a table
    return [
        (other, PLATFORMS["golden"]),
        (replace(CLICKSTREAM, name="1st"), PLATFORMS["golden"]),
        (LONG, platform_with(kafka={"topicPrefix": "p" * 99 + "."})),
        (CLICKSTREAM, platform_with(snowflake=None)),
        (CLICKSTREAM, platform_with(gateway={"minReplicas": 3, "maxReplicas": 2})),
        (CLICKSTREAM, platform_with(registry={"url": "http://registry:99999"})),
        (CLICKSTREAM, platform_with(kafka={"bootstrapServers": "kafka:70000"})),
    ]
