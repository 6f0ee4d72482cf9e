"""Whatever comes in, the answer is a pipeline or a list of problems; a pipeline always has a plan."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.core.diff import Observed, diff
from headrace.core.documents import GatewayDocument, JobDocument, LoaderDocument
from headrace.core.load import Loaded, load
from headrace.core.plan import plan
from headrace.core.platform import Platform
from headrace.core.text import render_plan, render_steps

SLOW = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=300)

words = st.sampled_from(
    ["clicks", "page_views", "event_id", "occurred_at", "a", "dead-letters", "", "x" * 300, "é", "`", "'"]
)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), words, st.text(max_size=20),
    st.sampled_from(["5s", "7d", "-1s", "JSON", "ExactlyOnce", "SELECT * FROM clicks", "/*", "RAW.T"]),
)  # fmt: skip
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3), max_leaves=8
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a manifest."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield from paths(child, (*path, key))


def mutate(manifest: Any, path: tuple[Any, ...], value: Any, drop: bool) -> Any:
    if not path:
        return value
    node = manifest
    for key in path[:-1]:
        node = node[key]
    if drop:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return manifest


def check(loaded: Loaded, platform: Platform) -> None:
    """Either problems that say something, or pipelines with a plan that survives its documents."""
    assert loaded.problems or loaded.pipelines or loaded.platforms
    for problem in loaded.problems:
        assert problem.message
        assert "\n" not in str(problem)
        assert len(str(problem)) < 2500
        assert "Traceback" not in str(problem)
    for pipeline in loaded.pipelines:
        made = plan(pipeline, platform)
        assert render_plan(made)
        assert render_steps(diff(made, Observed()))
        assert GatewayDocument.from_json(made.gateway.document.to_json()) == made.gateway.document
        for job in made.jobs:
            assert JobDocument.from_json(job.document.to_json()) == job.document
        for loader in made.loaders:
            assert LoaderDocument.from_json(loader.document.to_json()) == loader.document


@SLOW
@given(data=st.data())
def test_a_valid_manifest_bent_anywhere(manifest: dict[str, Any], platform: Platform, data: st.DataObject) -> None:
    bent = copy.deepcopy(manifest)
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(sorted(paths(bent), key=repr)))
        bent = mutate(bent, path, data.draw(values), drop=bool(path) and data.draw(st.booleans()))
    check(load(yaml.safe_dump(bent, allow_unicode=True)), platform)


@SLOW
@given(text=st.text(max_size=400) | st.binary(max_size=400))
def test_any_text_at_all(platform: Platform, text: str | bytes) -> None:
    check(load(text), platform)


@SLOW
@given(data=st.data())
def test_any_json_as_a_schema(manifest: dict[str, Any], platform: Platform, data: st.DataObject) -> None:
    keywords = st.sampled_from(
        ["type", "properties", "items", "required", "$ref", "oneOf", "additionalProperties", "format", "enum", "$defs"]
    )
    leaf = scalars | st.sampled_from(
        ["object", "string", "integer", "array", "date-time", "#", "#/$defs/a", ["string", "null"]]
    )
    schema = data.draw(
        st.dictionaries(keywords, st.recursive(leaf, lambda v: st.dictionaries(keywords | words, v, max_size=4)))
    )
    manifest = copy.deepcopy(manifest)
    manifest["spec"]["topics"][0]["schema"]["definition"] = json.dumps(schema)
    check(load(yaml.safe_dump(manifest, allow_unicode=True)), platform)


@SLOW
@given(sql=st.lists(st.sampled_from(
    ["SELECT", "FROM", "clicks", "TABLE", "(", ")", "TUMBLE", "HOP", "DESCRIPTOR", "occurred_at", "INTERVAL", "'1'", "MINUTE",
     ",", "OVER", "ORDER", "BY", "WITH", "AS", "`", "'", "--", "/*", "*/", ";", "=>", "SIZE", "é", "JOIN", "\n"]), max_size=30))  # fmt: skip
def test_any_words_as_sql(manifest: dict[str, Any], platform: Platform, sql: list[str]) -> None:
    manifest = copy.deepcopy(manifest)
    manifest["spec"]["jobs"][0]["sql"] = " ".join(sql)
    check(load(yaml.safe_dump(manifest, allow_unicode=True)), platform)


@pytest.mark.parametrize("extra", ["", "---\n", "%YAML 1.2\n---\n"])
def test_the_sample_in_its_own_words_is_valid(manifest: dict[str, Any], platform: Platform, extra: str) -> None:
    loaded = load(extra + yaml.safe_dump(manifest))
    assert not loaded.problems
    check(loaded, platform)
