"""How dear the rules may become, by Kubernetes' documented way of estimating: the worst case, before any object is seen.

An API server refuses a definition whose rules could cost too much: 10,000,000 for one rule over all the places where it
holds, 100,000,000 for all. A rule's cost is its expression's times how many entries the lists around it may have; within
an expression each step costs one, and comparing or searching a text or a list costs by its length. Without `maxItems` and
`maxLength` the estimate assumes the largest request (3 MiB), which is why everything has bounds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

PER_RULE, PER_DEFINITION = 10_000_000, 100_000_000
_UNBOUNDED = 3 * 1024 * 1024
_STEP = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[=!<>]=|&&|\|\||[-+*/<>!?]|'[^']*'|\d+")
_PRESENT = re.compile(r"has\([^)]*\)")
_LOOPS = re.compile(r"\.(?:all|exists|exists_one|filter|map)\(")


@dataclass(frozen=True, slots=True)
class Estimate:
    path: str
    rule: str
    times: int
    cost: int


def estimates(schema: Mapping[str, Any], path: str = "", times: int = 1) -> Iterator[Estimate]:
    """Every rule of a schema: how often it may run, and what it then costs at most (rounded up generously)."""
    for held in schema.get("x-kubernetes-validations", ()):
        yield Estimate(path, held["rule"], times, times * _expression(held["rule"], schema))
    for name, field in schema.get("properties", {}).items():
        yield from estimates(field, f"{path}.{name}" if path else name, times)
    if "items" in schema:
        yield from estimates(schema["items"], f"{path}[]", times * schema.get("maxItems", _UNBOUNDED))


def _expression(rule: str, schema: Mapping[str, Any]) -> int:
    """Every step as often as all loops of the rule together run, plus both sides of every comparison, whole."""
    loops = max((field.get("maxItems", 5) for field in schema.get("properties", {}).values()), default=5)
    steps = len(_STEP.findall(rule)) * (loops if _LOOPS.search(rule) else 1)
    comparisons = rule.count("==") + rule.count("!=")
    read = _PRESENT.sub("", rule)
    widest = max((_size(field) for name, field in _fields(schema) if re.search(rf"\b{name}\b", read)), default=1)
    return steps + comparisons * max(1, widest // 10)


def _fields(schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, field in schema.get("properties", {}).items():
        yield name, field
        yield from _fields(field)


def _size(schema: Mapping[str, Any]) -> int:
    """Of a scalar or a list of scalars, in characters; a section is never compared as a whole."""
    if schema.get("type") == "array":
        return int(schema.get("maxItems", _UNBOUNDED)) * _size(schema["items"])
    if schema.get("type") == "string" and "enum" not in schema:
        return int(schema.get("maxLength", _UNBOUNDED))
    return 1 if schema.get("type") != "object" else 0
