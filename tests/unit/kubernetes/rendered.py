"""Renders the samples on platforms of all kinds, for tests that look at what comes out."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from headrace.core.load import load
from headrace.core.pipeline import Pipeline
from headrace.core.plan import Plan, plan
from headrace.core.wire.platform import StreamPlatform
from headrace.kubernetes.render import find_mismatches, render, resolve_platform
from headrace.kubernetes.render.objects import Groups, grouped
from headrace.kubernetes.render.target import Owner, Target
from headrace.kubernetes.text import Manifest

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "golden" / "kubernetes"
NAMESPACE = "streams"
PLATFORM: dict[str, Any] = yaml.safe_load((GOLDEN / "clickstream" / "platform.yaml").read_text(encoding="utf-8"))


def sources() -> dict[str, Path]:
    """Every manifest that there is: the samples and the core's scenarios."""
    found = [*ROOT.glob("manifests/samples/*/pipeline.yaml"), *ROOT.glob("tests/golden/core/*/pipeline.yaml")]
    return {path.parent.name: path for path in sorted(found)}


@cache
def pipeline_of(path: Path) -> Pipeline:
    loaded = load(path.read_text(encoding="utf-8"), path.name)
    assert not loaded.problems, [str(problem) for problem in loaded.problems]
    return loaded.pipelines[0]


def platform_with(**changes: Any) -> StreamPlatform:
    """The golden platform with sections of its spec changed; None takes one away."""
    manifest = copy.deepcopy(PLATFORM)
    for section, change in changes.items():
        if change is None:
            manifest["spec"].pop(section, None)
        else:
            manifest["spec"][section] = {**manifest["spec"].get(section, {}), **change}
    return StreamPlatform.model_validate(manifest)


PLATFORMS = {
    "golden": platform_with(),
    "trial": platform_with(
        kafka={"listener": {"name": "plain", "port": 9092, "authentication": "None"}},
        loader={"scaling": "Fixed", "minReplicas": 2},
        monitoring={"podMonitors": False},
        flink={"credentials": None},
    ),
    "elsewhere": platform_with(
        kafka={"bootstrapServers": "b-1.example.com:9094,b-2.example.com:9096", "topicPrefix": "Team_A."},
        views={"storageClass": "fast"},
        images={"pullSecret": {"name": "registry-login"}},
    ),
}


def plan_of(pipeline: Pipeline, platform: StreamPlatform) -> Plan:
    assert find_mismatches(pipeline, platform) == []
    return plan(pipeline, resolve_platform(platform, NAMESPACE))


def objects(pipeline: Pipeline, platform: StreamPlatform, **given: Any) -> tuple[Manifest, ...]:
    return render(plan_of(pipeline, platform), platform, NAMESPACE, **given)


def groups(pipeline: Pipeline, platform: StreamPlatform) -> Groups:
    return grouped(plan_of(pipeline, platform), Target(pipeline.name, NAMESPACE, platform.spec))


def pod_specs(manifests: tuple[Manifest, ...]) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Name → pod metadata and spec, of everything that makes pods."""
    found = {}
    for manifest in manifests:
        template = manifest.get("spec", {}).get("podTemplate") or manifest.get("spec", {}).get("template")
        if template:
            found[manifest["metadata"]["name"]] = (template["metadata"], template["spec"])
    return found


OWNER = Owner("clickstream", "0b7f3a52-6f0e-4a52-9c57-0c9a5b8f2d11")
