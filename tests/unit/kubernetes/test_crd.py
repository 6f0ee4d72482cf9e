"""The CRDs: current, structural, bounded and described, and of one mind with the models that read what they let in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from pytest_regressions.file_regression import FileRegressionFixture

from headrace.core.wire.pipeline import StreamPipeline
from headrace.core.wire.platform import StreamPlatform
from headrace.kubernetes.crd.__main__ import file_name, main, text
from headrace.kubernetes.crd.definition import PIPELINE, PLATFORM, Resource, definitions, schema

from .admission import PRESERVE, admit
from .cost import PER_DEFINITION, PER_RULE, estimates
from .wishes import accepted, bent

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "manifests" / "crds"
RESOURCES = pytest.mark.parametrize("resource", [PIPELINE, PLATFORM], ids=lambda r: r.kind)
MODELS = {"StreamPipeline": StreamPipeline, "StreamPlatform": StreamPlatform}

Node = Mapping[str, Any]


def nodes(node: Node, path: str = "") -> Iterator[tuple[str, Node]]:
    """Every node of spec and status."""
    for name, field in node.get("properties", {}).items():
        if path or name in ("spec", "status"):
            yield f"{path}.{name}", field
            yield from nodes(field, f"{path}.{name}")
    if "items" in node:
        yield f"{path}[]", node["items"]
        yield from nodes(node["items"], f"{path}[]")


@pytest.mark.parametrize("definition", definitions(), ids=lambda d: str(d["spec"]["names"]["kind"]))
def test_the_files_are_current(definition: dict[str, Any], file_regression: FileRegressionFixture) -> None:
    file_regression.check(text(definition), fullpath=FOLDER / file_name(definition))


def test_the_command_writes_the_files(tmp_path: Path) -> None:
    assert main([str(tmp_path)]) == 0
    written = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    assert written == {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}


@RESOURCES
def test_every_node_has_one_type_and_refers_to_nothing(resource: Resource) -> None:
    untyped = [path for path, node in nodes(schema(resource)) if "type" not in node]
    # A scalar of any kind, which a structural schema cannot say otherwise.
    assert untyped == ([".spec.ingest[].enrich[].value"] if resource is PIPELINE else [])
    for path, node in nodes(schema(resource)):
        assert not node.keys() & {"$ref", "anyOf", "oneOf", "allOf", "not", "const", "title", "examples"}, path
        assert ("type" in node) != (PRESERVE in node), path


@RESOURCES
def test_every_field_is_described(resource: Resource) -> None:
    assert [
        path for path, node in nodes(schema(resource)) if "[]" not in path[-2:] and not node.get("description")
    ] == []


@RESOURCES
def test_everything_has_bounds(resource: Resource) -> None:
    for path, node in nodes(schema(resource)):
        match node.get("type"):
            case "string":
                assert "enum" in node or "maxLength" in node, path
            case "array":
                assert "maxItems" in node, path
                assert node["x-kubernetes-list-type"] in ("map", "set", "atomic"), path
            case "object":
                assert "additionalProperties" not in node, path


@RESOURCES
def test_a_list_map_has_keys_that_every_entry_has(resource: Resource) -> None:
    declared = {f".{path}" for path in resource.list_keys}
    found = {path for path, node in nodes(schema(resource)) if node.get("x-kubernetes-list-type") == "map"}
    assert found == declared
    for path, node in nodes(schema(resource)):
        for key in node.get("x-kubernetes-list-map-keys", ()):
            assert key in node["items"]["required"], path


@RESOURCES
def test_the_rules_are_cheap(resource: Resource) -> None:
    """A tenth of Kubernetes' budget at most: the estimate here is rougher than the API server's."""
    found = list(estimates(schema(resource)))
    assert {f".{estimate.path}" for estimate in found} == {f".{path}" for path in resource.rules}
    assert max(estimate.cost for estimate in found) < PER_RULE / 10
    assert sum(estimate.cost for estimate in found) < PER_DEFINITION / 10


@RESOURCES
def test_defaults_are_accepted(resource: Resource) -> None:
    for path, node in nodes(schema(resource)):
        if "default" in node:
            assert admit(node, node["default"])[1] == [], path


@pytest.mark.parametrize(
    "sample", sorted((ROOT / "manifests" / "samples").glob("*/pipeline.yaml")), ids=lambda p: p.parent.name
)
def test_the_samples_are_admitted(sample: Path) -> None:
    stored, errors = admit(schema(PIPELINE), yaml.safe_load(sample.read_text(encoding="utf-8")))
    assert errors == []
    StreamPipeline.model_validate(stored)


def manifests(resource: Resource) -> st.SearchStrategy[dict[str, Any]]:
    head = {
        "apiVersion": st.just("headrace.dev/v1alpha1"),
        "kind": st.just(resource.kind),
        "metadata": st.just({"name": "shop"}),
    }
    return st.fixed_dictionaries(head | {"spec": bent(accepted(schema(resource)["properties"]["spec"]))})


WISHES = {resource.kind: manifests(resource) for resource in (PIPELINE, PLATFORM)}
SCHEMAS = {resource.kind: schema(resource) for resource in (PIPELINE, PLATFORM)}


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.one_of(*WISHES.values()))
def test_what_the_api_server_admits_is_what_the_models_parse(manifest: dict[str, Any]) -> None:
    stored, refused = admit(SCHEMAS[manifest["kind"]], manifest)
    model = MODELS[manifest["kind"]]
    event("refused" if refused else "admitted")
    if not refused:
        assert beyond_a_schema(model, stored) == []
    # And what the models take, the API server takes, but for what only the API server sees as one list entry.
    if not problems(model, manifest):
        assert [problem for problem in refused if "entries of one" not in problem and "twice" not in problem] == []


def problems(model: Any, manifest: dict[str, Any]) -> list[str]:
    try:
        model.model_validate(manifest)
    except ValidationError as invalid:
        return [f"{error['loc']}: {error['msg']}" for error in invalid.errors()]
    return []


def beyond_a_schema(model: Any, stored: dict[str, Any]) -> list[str]:
    """What the models refuse all the same, but for what no structural schema can say: a duration's sum, and that a
    constant is a scalar and no empty list or mapping."""
    told = "is longer than ten years"
    found = [problem for problem in problems(model, stored) if told not in problem]
    empty = [
        e for entry in stored["spec"].get("ingest", []) for e in entry.get("enrich", []) if e.get("value") in ([], {})
    ]
    return [problem for problem in found if not (empty and "'value'" in problem)]
