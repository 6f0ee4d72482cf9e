"""Hostile manifests: each is answered by an error with its field's path and line, never by a traceback."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from headrace.core.load import load
from headrace.core.problems import dotted

BOMB = "\n".join(["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)])
TEXTS = {
    "alias bomb": BOMB,
    "alias cycle": "spec: &s {topics: [*s]}",
    "python tag": "spec: !!python/object/new:os.system [echo]",
    "deep list": "a: " + "[" * 5_000,
    "deep mapping": "{a: " * 5_000,
    "huge number": "apiVersion: " + "1" * 10_000,
    "duplicate key": "kind: StreamPipeline\nkind: StreamPipeline",
    "only a string": "hello",
    "only a list": "- a\n- b",
    "null": "null",
    "empty": "",
    "comment": "# nothing",
    "bad indentation": "a:\n  b: 1\n c: 2",
    "tab": "\ta: 1",
    "control characters": "a: \x01\x02",
    "a hundred documents": "---\na: 1\n" * 100,
    "another kind": "apiVersion: v1\nkind: Pod\nmetadata: {name: a}",
    "a list of kinds": "apiVersion: v1\nkind: List\nitems: []",
    "unknown version": "apiVersion: headrace.dev/v9\nkind: StreamPipeline\nmetadata: {name: a}\nspec: {topics: []}",
}
HOSTILE: list[Any] = [
    {"x": "y"}, [[]], 10**30, float("inf"), "x" * 300_000, "\x00", "../../etc/passwd", "'; DROP TABLE x; --", -1,
]  # fmt: skip


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if not isinstance(value, (dict, list)):
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield from leaves(child, (*path, key))


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_hostile_text_is_an_error(text: str) -> None:
    found = load(text, "hostile.yaml").problems
    assert found
    assert all(str(problem).startswith("hostile.yaml") for problem in found)


def test_every_leaf_refuses_hostile_values_at_its_own_path(manifest: dict[str, Any]) -> None:
    """More than 200 manifests, each with one field gone bad: the error names that field."""
    tried = 0
    for path in leaves(manifest):
        for value in HOSTILE:
            bent = copy.deepcopy(manifest)
            node: Any = bent
            for key in path[:-1]:
                node = node[key]
            node[path[-1]] = value
            found = load(yaml.safe_dump(bent, allow_unicode=True)).problems
            # A renamed job or a huge but allowed count is no error; whatever is one says where.
            assert all(problem.line for problem in found)
            if isinstance(value, (dict, list)):
                assert any(problem.path[: len(path)] == path for problem in found), (dotted(path), found)
            tried += 1
    assert tried >= 200


def test_every_place_refuses_an_unknown_field(manifest: dict[str, Any]) -> None:
    places = {leaf[: depth + 1] for leaf in leaves(manifest) for depth in range(len(leaf) - 1)}
    for path in sorted(places, key=repr):
        bent = copy.deepcopy(manifest)
        node: Any = bent
        for key in path:
            node = node[key]
        if isinstance(node, dict):
            node["surprise"] = 1
            found = load(yaml.safe_dump(bent)).problems
            assert any(problem.path == (*path, "surprise") for problem in found), (dotted(path), found)
