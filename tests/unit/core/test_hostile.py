"""Hostile manifests: each is answered by an error with its field's path and line, never by a traceback."""

from __future__ import annotations

import copy
import json
import socket
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


def schema_of(definition: dict[str, Any], manifest: dict[str, Any]) -> list[str]:
    manifest["spec"]["topics"][0]["schema"]["definition"] = json.dumps(definition)
    return [str(problem) for problem in load(yaml.safe_dump(manifest)).problems]


def test_a_schema_whose_references_fan_out_is_refused(manifest: dict[str, Any]) -> None:
    levels = {
        f"d{n}": {"type": "object", "properties": {f"p{m}": {"$ref": f"#/$defs/d{n + 1}"} for m in range(20)}}
        for n in range(7)
    } | {"d7": {"type": "string"}}
    definition = {"type": "object", "properties": {"a": {"$ref": "#/$defs/d0"}}, "$defs": levels}
    assert any("comes to more than 1000 fields" in problem for problem in schema_of(definition, manifest))


def test_a_schema_of_an_unknown_dialect_is_refused_and_not_fetched(manifest: dict[str, Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/meta"
        definition = {"$schema": address, "type": "object", "properties": {"a": {"$schema": address}}}
        assert any("is no draft that is known here" in problem for problem in schema_of(definition, manifest))
        with pytest.raises(BlockingIOError):
            listener.accept()


@pytest.mark.parametrize("piece", ["OVER(", "ORDER BY a, ", "TUMBLE(TABLE c, ", "(SELECT ", "FROM c, ", "WITH a AS ("])
def test_a_hundred_kilobytes_of_sql_are_read_in_one_pass(manifest: dict[str, Any], piece: str) -> None:
    """What takes quadratic time here would run into the suite's time limit."""
    manifest["spec"]["jobs"][0]["sql"] = "SELECT " + piece * (99_000 // len(piece))
    assert load(yaml.safe_dump(manifest)).problems


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
