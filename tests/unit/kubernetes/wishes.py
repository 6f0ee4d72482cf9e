"""Random manifests by a CRD's schema: right ones, then bent in a few places, for tests that compare two judges."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import strategies as st

Path = tuple[str | int, ...]

JUNK: tuple[Any, ...] = (
    None, True, 0, -1, 2, 6.0, 1.5, 10**12, "", "x", "A", "a-", "5s", "1h\n", "x" * 101, "x" * 800, "ü", "http://x y",
    [], ["a"], ["a", "a"], [None], {}, {"name": "a"}, {"unknown": 1}, [{}],
)  # fmt: skip


def accepted(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Values that the schema takes; small, so that many fit into a second."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("type"):
        case "object":
            required = set(schema.get("required", ()))
            fields = {name: accepted(field) for name, field in schema.get("properties", {}).items()}
            return st.fixed_dictionaries(
                {name: field for name, field in fields.items() if name in required},
                optional={name: field for name, field in fields.items() if name not in required},
            )
        case "array":
            return _list(schema)
        case "string":
            return _text(schema)
        case "number" | "integer":
            return _number(schema)
        case _:
            others = () if "type" in schema else (st.integers(-5, 5), st.text(max_size=5))
            return st.one_of(st.booleans(), *others)


def _list(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    items = accepted(schema["items"])
    least = schema.get("minItems", 0)
    keys = schema.get("x-kubernetes-list-map-keys")
    if keys:
        return st.lists(items, min_size=least, max_size=2, unique_by=lambda item: tuple(item[k] for k in keys))
    return st.lists(items, min_size=least, max_size=2, unique=schema.get("x-kubernetes-list-type") == "set")


def _number(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    bounds = schema.get("minimum"), schema.get("maximum")
    return st.integers(*bounds) if schema["type"] == "integer" else st.floats(*bounds, allow_nan=False)


def _text(schema: Mapping[str, Any]) -> st.SearchStrategy[str]:
    least, most = schema.get("minLength", 0), min(schema.get("maxLength", 20), 20)
    if "pattern" not in schema:
        return st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=least, max_size=most)
    # Bounded here, because a filter on the length would throw most of what the pattern gives away.
    pattern = schema["pattern"].removeprefix("^").removesuffix("$")
    pattern = re.sub(r"(?<=[\])])([*+])", lambda found: "{0,4}" if found[1] == "*" else "{1,4}", pattern)
    return st.from_regex(rf"\A(?:{pattern})\Z", alphabet=st.characters(codec="ascii")).filter(
        lambda text: least <= len(text) <= schema.get("maxLength", 200)
    )


def paths(value: Any, at: Path = ()) -> Iterator[Path]:
    """Every place in a value, its own first."""
    yield at
    match value:
        case dict():
            for name, inner in value.items():
                yield from paths(inner, (*at, name))
        case list():
            for index, inner in enumerate(value):
                yield from paths(inner, (*at, index))


@st.composite
def bent(draw: st.DrawFn, whole: st.SearchStrategy[dict[str, Any]]) -> dict[str, Any]:
    """A value of `whole` with up to two places replaced by junk, taken away, or given a field that is none."""
    value = copy.deepcopy(draw(whole))
    for _ in range(draw(st.integers(0, 2))):
        inside = [path for path in paths(value) if path]
        if not inside:
            break
        *parents, last = draw(st.sampled_from(inside))
        place: Any = value
        for part in parents:
            place = place[part]
        match draw(st.sampled_from(["replace", "remove", "add"])):
            case "remove":
                del place[last]
            case "add" if isinstance(place, dict):
                place["unknown"] = 1
            case _:
                place[last] = draw(st.sampled_from(JUNK))
    return value
