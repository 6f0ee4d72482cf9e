"""Avro: where a reader's schema cannot resolve a writer's (Avro specification, "Schema Resolution"). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from headrace.core.evolution.common import Break, Sides, below

# Writer → readers that take it beside the same type.
PROMOTIONS = {
    "int": {"long", "float", "double"},
    "long": {"float", "double"},
    "float": {"double"},
    "string": {"bytes"},
    "bytes": {"string"},
}
NAMED = ("record", "enum", "fixed", "error")


def breaks(reader: Any, writer: Any, sides: Sides) -> Iterator[Break]:
    """`reader` and `writer` are whole schemas."""
    yield from _Resolution(reader, writer, sides).node(reader, writer, "")


class _Resolution:
    def __init__(self, reader: Any, writer: Any, sides: Sides) -> None:
        self._readers: dict[str, Any] = {}
        self._writers: dict[str, Any] = {}
        _collect(reader, "", self._readers)
        _collect(writer, "", self._writers)
        self._sides = sides
        self._open: set[tuple[str, str]] = set()

    def node(self, reader: Any, writer: Any, path: str) -> Iterator[Break]:
        reader, writer = _named(reader, self._readers), _named(writer, self._writers)
        if isinstance(writer, list):
            for branch in writer:
                yield from self.node(reader, branch, path)
            return
        if isinstance(reader, list):
            if not any(next(self.node(branch, writer, path), None) is None for branch in reader):
                takes = " or ".join(_kind(branch) for branch in reader)
                yield Break(path, f"{self._sides.writer} writes {_kind(writer)}, {self._sides.reader} takes {takes}")
            return
        kinds = _kind(writer), _kind(reader)
        if kinds[0] != kinds[1]:
            if kinds[1] not in PROMOTIONS.get(kinds[0], ()):
                problem = f"{self._sides.writer} writes {kinds[0]}, {self._sides.reader} reads {kinds[1]}"
                yield Break(path, problem)
            return
        yield from self._same_kind(kinds[0], reader, writer, path)

    def _same_kind(self, kind: str, reader: Any, writer: Any, path: str) -> Iterator[Break]:
        match kind:
            case "record":
                pair = str(reader.get("name")), str(writer.get("name"))
                if pair not in self._open:  # a record may contain itself
                    self._open.add(pair)
                    yield from self._record(reader, writer, path)
                    self._open.discard(pair)
            case "enum":
                gone = [symbol for symbol in writer["symbols"] if symbol not in reader["symbols"]]
                if gone and "default" not in reader:
                    lost = ", ".join(gone)
                    yield Break(path, f"{self._sides.reader} has no {lost} among its symbols, and no default")
            case "fixed":
                if reader["size"] != writer["size"]:
                    yield Break(path, f"its size is {writer['size']} in one version and {reader['size']} in the other")
            case "array":
                yield from self.node(reader["items"], writer["items"], f"{path}[]")
            case "map":
                yield from self.node(reader["values"], writer["values"], f"{path}.*")

    def _record(self, reader: Mapping[str, Any], writer: Mapping[str, Any], path: str) -> Iterator[Break]:
        written = {field["name"]: field for field in writer["fields"]}
        for field in reader["fields"]:
            names = [field["name"], *field.get("aliases", ())]
            old = next((written[name] for name in names if name in written), None)
            where = below(path, field["name"])
            if old is not None:
                yield from self.node(field["type"], old["type"], where)
            elif "default" not in field:
                yield Break(where, f"{self._sides.reader} needs it, {self._sides.writer} has none: give it a default")


def _kind(node: Any) -> str:
    if isinstance(node, list):
        return "a union"
    kind = node.get("type") if isinstance(node, Mapping) else node
    return kind if isinstance(kind, str) else _kind(kind)


def _named(node: Any, known: Mapping[str, Any]) -> Any:
    """A name's definition; `{"type": "string", …}` stays as it is."""
    if isinstance(node, Mapping) and not isinstance(node.get("type"), str):
        return _named(node["type"], known)
    return known.get(node, known.get(node.rpartition(".")[2], node)) if isinstance(node, str) else node


def _collect(node: Any, namespace: str, known: dict[str, Any]) -> None:
    """Every named type, by its name with and without namespace."""
    if isinstance(node, list):
        for branch in node:
            _collect(branch, namespace, known)
    elif isinstance(node, Mapping):
        if node.get("type") in NAMED and "name" in node:
            namespace = node.get("namespace", node["name"].rpartition(".")[0] or namespace)
            short = node["name"].rpartition(".")[2]
            known.setdefault(short, node)
            known[f"{namespace}.{short}"] = node
        for child in (*(field["type"] for field in node.get("fields", ())), node.get("items"), node.get("values")):
            _collect(child, namespace, known)
        if not isinstance(node.get("type"), str):
            _collect(node.get("type"), namespace, known)
