"""JSON Schema: what a reader's schema refuses that a writer's lets through, property by property. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from headrace.core.evolution.common import Break, Sides, below

MAX_DEPTH = 32
ANY = frozenset({"string", "number", "integer", "boolean", "object", "array", "null"})
_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_SAME = ("pattern", "format", "const", "multipleOf")
_CHOICES = ("anyOf", "oneOf", "allOf", "not", "if")

Node = Mapping[str, Any]


def breaks(reader: Any, writer: Any, sides: Sides) -> Iterator[Break]:
    """`reader` and `writer` are whole schemas."""
    yield from _Comparison(reader, writer, sides).node(reader, writer, "", 0)


class _Comparison:
    def __init__(self, reader: Node, writer: Node, sides: Sides) -> None:
        self._roots, self._sides = (reader, writer), sides

    def node(self, reader: Any, writer: Any, path: str, depth: int) -> Iterator[Break]:
        reader, writer = (_resolved(node, root) for node, root in zip((reader, writer), self._roots, strict=True))
        if reader in (True, {}) or reader == writer or depth > MAX_DEPTH:
            return
        if reader is False or not isinstance(reader, Mapping):
            yield Break(path, f"{self._sides.reader} takes no value there")
            return
        writer = writer if isinstance(writer, Mapping) else {}
        lost = _types(writer) - _types(reader) - ({"integer"} if "number" in _types(reader) else frozenset())
        if lost:
            was = " or ".join(sorted(_types(writer) & lost)) if _types(writer) != ANY else "anything"
            takes = " or ".join(sorted(_types(reader)))
            yield Break(path, f"{self._sides.writer} has {was}, {self._sides.reader} takes {takes} only")
            return
        yield from self._bounds(reader, writer, path)
        yield from self._object(reader, writer, path, depth)
        if "items" in reader:
            yield from self.node(reader["items"], writer.get("items", {}), f"{path}[]", depth + 1)
        for keyword in _CHOICES:
            if keyword in reader and reader[keyword] != writer.get(keyword):
                yield Break(path, f"its {keyword} changed")

    def _bounds(self, reader: Node, writer: Node, path: str) -> Iterator[Break]:
        enum, old = reader.get("enum"), writer.get("enum")
        if enum is not None and old is None:
            yield Break(path, f"{self._sides.reader} takes {_shown(enum)} only")
        elif enum is not None:
            gone = [value for value in old or () if value not in enum]
            if gone:
                yield Break(path, f"{self._sides.reader} does not take {_shown(gone)} any more")
        for keyword in _LOWER:
            if keyword in reader and (keyword not in writer or writer[keyword] < reader[keyword]):
                yield Break(path, f"{keyword} is {reader[keyword]} in {self._sides.reader}, "
                                  f"{writer.get(keyword, 'not set')} in {self._sides.writer}")  # fmt: skip
        for keyword in _UPPER:
            if keyword in reader and (keyword not in writer or writer[keyword] > reader[keyword]):
                yield Break(path, f"{keyword} is {reader[keyword]} in {self._sides.reader}, "
                                  f"{writer.get(keyword, 'not set')} in {self._sides.writer}")  # fmt: skip
        for keyword in _SAME:
            if keyword in reader and reader[keyword] != writer.get(keyword):
                yield Break(path, f"{keyword} is {reader[keyword]!r} in {self._sides.reader}, "
                                  f"{writer.get(keyword, 'not set')!r} in {self._sides.writer}")  # fmt: skip

    def _object(self, reader: Node, writer: Node, path: str, depth: int) -> Iterator[Break]:
        for name in reader.get("required", ()):
            if name not in writer.get("required", ()):
                problem = f"{self._sides.reader} requires it, and events of {self._sides.writer} may lack it"
                yield Break(below(path, name), problem)
        properties, old = reader.get("properties", {}), writer.get("properties", {})
        others_read, others_written = (side.get("additionalProperties", True) for side in (reader, writer))
        for name, child in properties.items():
            if name in old:
                yield from self.node(child, old[name], below(path, name), depth + 1)
            elif others_written is not False and child not in (True, {}):
                yield Break(
                    below(path, name),
                    f"it is not in {self._sides.writer}, which lets other fields through: its events may hold it as "
                    "anything (with additionalProperties: false a field can be added; or set compatibility: FORWARD)",
                )
        if others_read is False:
            for name in old:
                if name not in properties:
                    yield Break(below(path, name), f"{self._sides.reader} neither has it nor allows other fields")
            if others_written is not False:
                yield Break(path, f"{self._sides.reader} allows no other fields, {self._sides.writer} does")
        elif isinstance(others_read, Mapping):
            yield from self.node(others_read, others_written, below(path, "*"), depth + 1)


def _types(node: Node) -> frozenset[str]:
    types = node.get("type")
    if types is None:
        return ANY
    found = frozenset([types] if isinstance(types, str) else types)
    return found | {"integer"} if "number" in found else found


def _resolved(node: Any, root: Node) -> Any:
    """A node without its $ref, within the document only."""
    for _ in range(MAX_DEPTH):
        reference = node.get("$ref") if isinstance(node, Mapping) else None
        if not isinstance(reference, str) or not reference.startswith("#"):
            break
        target: Any = root
        for part in reference.removeprefix("#").strip("/").split("/") if reference != "#" else ():
            target = target[part.replace("~1", "/").replace("~0", "~")]
        node = target
    return node


def _shown(values: Any) -> str:
    return ", ".join(repr(value) for value in list(values)[:10])
