"""A writer's schema and the topic's, resolved into one reader: bytes straight into the JSON form, or into a row.

By Avro's rules (specification 1.12, "Schema Resolution"), worked out once per writer's schema. Why not fastavro's own
reader: it resolves anew for every record, takes a negative branch or symbol for one from the end, any byte for true,
and cannot say which field is wrong (docs/adr/0008). tests/unit/records holds the two against each other.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from typing import Any

from headrace_apps.records import avro_bytes as binary
from headrace_apps.records.avro_bytes import Read
from headrace_apps.records.avro_defaults import default_of
from headrace_apps.records.avro_schema import (
    Node,
    Schema,
    Type,
    change_of,
    form_of,
    is_any,
    is_text,
    type_of,
    with_epoch,
)
from headrace_apps.records.outcome import UnfitError
from headrace_apps.records.strict_json import json_text

_PRIMITIVES: dict[str, Read] = {
    "null": binary.read_null,
    "boolean": binary.read_boolean,
    "int": binary.read_int,
    "long": binary.read_long,
    "float": binary.read_float,
    "double": binary.read_double,
    "bytes": binary.read_bytes,
    "string": binary.read_string,
}
_PROMOTIONS = {
    ("int", "long"), ("int", "float"), ("int", "double"), ("long", "float"), ("long", "double"), ("float", "double"),
    ("string", "bytes"), ("bytes", "string"),
}  # fmt: skip
_SIZES = {"null": 0, "float": 4, "double": 8}


class UnresolvableError(ValueError):
    """The writer's schema cannot be resolved into the topic's: where, and why."""


def reader_of(writer: Schema, reader: Schema, *, row: bool, epoch_millis: Collection[str] = ()) -> Read:
    """Reads a record of `writer` as one of `reader`: into its JSON form, nulls left out; with `row`, into row values
    (`outcome.Row`), nulls kept. `epoch_millis` are the top level's event time. Raises UnresolvableError."""
    return _Resolver(writer, reader, row, epoch_millis).top()


class _Resolver:
    def __init__(self, writer: Schema, reader: Schema, row: bool, epoch_millis: Collection[str]) -> None:
        self._writer, self._reader = writer.named, reader.named
        self._roots = writer.root, reader.root
        self._row = row
        self._epoch_millis = epoch_millis
        self._inside: list[str] = []
        self._in_any = 0
        """Inside so many unions that are JSON text: there a record's nulls are written, as a job writes them."""

    def top(self) -> Read:
        written = type_of(self._roots[0], self._writer)
        read = type_of(self._roots[1], self._reader)
        if written.name != "record":
            raise UnresolvableError(f"it is a {written.name}, not a record")
        return self._record(written, read, "", top=True)

    def _record(self, written: Type, read: Type, where: str, top: bool = False) -> Read:
        self._enter(written, where)
        keep_null = (top and self._row) or self._in_any > 0
        targets = {f["name"]: f for f in read.node["fields"]}
        aliases = {alias: f for f in read.node["fields"] for alias in f.get("aliases", ())}
        fields: list[tuple[str | None, Read]] = []
        for field in written.node["fields"]:
            target = targets.pop(field["name"], None) or aliases.get(field["name"])
            here = f"{where}.{field['name']}" if where else field["name"]
            if target is None:
                fields.append((None, self._skip(field["type"], here)))
                continue
            targets.pop(target["name"], None)
            fields.append((target["name"], self._field(field["type"], target, here, top)))
        constants = {}
        for name, field in targets.items():
            if "default" not in field:
                raise UnresolvableError(f"it has no field {f'{where}.' if where else ''}{name}, which has no default")
            value = self._default(field, name, top)
            if value is not None or keep_null:
                constants[name] = value
        self._inside.pop()
        order = [field["name"] for field in read.node["fields"]]
        return binary.record(fields, constants, order, keep_null=keep_null)

    def _field(self, written: Node, target: dict[str, Any], where: str, top: bool) -> Read:
        if not (top and self._row):
            return self._value(written, target["type"], where, epoch=top and target["name"] in self._epoch_millis)
        read = self._value(written, target["type"], where, True, target["name"] in self._epoch_millis)
        if is_text(type_of(target["type"], self._reader), self._reader):
            return binary.changed_unless_null(read, json_text)
        return read

    def _default(self, field: dict[str, Any], name: str, top: bool) -> Any:
        row = top and self._row
        epoch = top and name in self._epoch_millis
        try:
            value = default_of(field["type"], field["default"], self._reader, row=row, epoch=epoch)
        except (UnfitError, TypeError, KeyError, AttributeError) as error:
            raise UnresolvableError(f"the default of {name} is no value of its type: {error}") from None
        if row and value is not None and is_text(type_of(field["type"], self._reader), self._reader):
            return json_text(value)
        return value

    def _value(self, written_node: Node, read_node: Node, where: str, row: bool = False, epoch: bool = False) -> Read:
        written = type_of(written_node, self._writer)
        if written.name == "union":
            return binary.union([self._branch(b, read_node, where, row, epoch) for b in written.node])
        return self._single(written, read_node, where, row, epoch)

    def _branch(self, written_node: Node, read_node: Node, where: str, row: bool, epoch: bool) -> Read:
        """A branch that does not fit is found out by the record that has it."""
        try:
            return self._single(type_of(written_node, self._writer), read_node, where, row, epoch)
        except UnresolvableError as error:
            problem = f"the writer's schema cannot be resolved: {error}"

            def refuse(_: bytes, __: int) -> tuple[Any, int]:
                raise UnfitError(problem)

            return refuse

    def _single(self, written: Type, read_node: Node, where: str, row: bool, epoch: bool) -> Read:
        read = type_of(read_node, self._reader)
        if read.name == "union":
            any_json = is_any(read, self._reader)
            read = self._choose(written, read, where)
            if any_json:
                self._in_any += 1
                try:
                    return self._as(written, read, where, row=False, epoch=False)
                finally:
                    self._in_any -= 1
        return self._as(written, read, where, row, epoch)

    def _as(self, written: Type, read: Type, where: str, row: bool, epoch: bool) -> Read:
        if not _matches(written, read):
            raise UnresolvableError(f"{where or 'the record'} is a {written.name}, and a {read.name} in the topic's")
        match read.name:
            case "record":
                return self._record(written, read, where)
            case "array":
                item = self._value(written.node["items"], read.node["items"], f"{where}[]")
                return binary.array(item, self._smallest(written.node["items"]), self._nulls(read.node["items"]))
            case "map":
                value = self._value(written.node["values"], read.node["values"], f"{where}.*")
                return binary.mapping(value, self._smallest(written.node["values"]), self._nulls(read.node["values"]))
            case "null":
                return binary.read_null
            case "enum":
                return _enum(written, read)
        return _leaf(written, read, row, epoch)

    def _choose(self, written: Type, union: Type, where: str) -> Type:
        """The union's branch for the writer's type: the same one, else the first that it can be promoted to."""
        branches = [type_of(branch, self._reader) for branch in union.node]
        for fits in (_is_same, _matches):
            for branch in branches:
                if fits(written, branch):
                    return branch
        raise UnresolvableError(f"{where} is a {written.name}, which is no branch of the topic's union")

    def _skip(self, node: Node, where: str) -> Read:  # noqa: PLR0911 - a case per type
        """Bytes that are passed over; what is no text need not be UTF-8."""
        written = type_of(node, self._writer)
        match written.name:
            case "union":
                return binary.union([self._skip(branch, where) for branch in written.node])
            case "record":
                self._enter(written, where)
                fields = [(None, self._skip(field["type"], where)) for field in written.node["fields"]]
                self._inside.pop()
                return binary.record(fields, {}, (), keep_null=False)
            case "array":
                items = written.node["items"]
                return binary.array(self._skip(items, where), self._smallest(items), nulls=True)
            case "map":
                values = written.node["values"]
                return binary.mapping(self._skip(values, where), self._smallest(values), nulls=True)
            case "enum":
                return _enum(written, written)
            case "fixed":
                return binary.fixed(written.node["size"])
            case "string":
                return binary.read_bytes
        return _PRIMITIVES[written.name]

    def _enter(self, written: Type, where: str) -> None:
        name = written.node["name"]
        if name in self._inside:
            raise UnresolvableError(f"{where} is a {name} inside a {name}")
        self._inside.append(name)

    def _smallest(self, node: Node) -> int:
        """Bytes that a value takes at least."""
        written = type_of(node, self._writer)
        if written.name == "fixed":
            return int(written.node["size"])
        if written.name == "record":
            return sum(self._smallest(field["type"]) for field in written.node["fields"])
        return _SIZES.get(written.name, 1)

    def _nulls(self, node: Node) -> bool:
        """An item may be null only where its column type is any JSON: a union of several types."""
        return is_any(type_of(node, self._reader), self._reader)


def _is_same(written: Type, read: Type) -> bool:
    if written.name != read.name:
        return False
    if written.name in ("record", "enum", "fixed"):
        return _full_name_matches(written, read)
    return True


def _full_name_matches(written: Type, read: Type) -> bool:
    name = written.node["name"]
    return name == read.node["name"] or name in read.node.get("aliases", ())


def _matches(written: Type, read: Type) -> bool:
    if written.name == read.name:
        if written.name == "fixed":
            return bool(written.node["size"] == read.node["size"]) and _full_name_matches(written, read)
        return written.name != "enum" or _full_name_matches(written, read)
    return (written.name, read.name) in _PROMOTIONS


def _enum(written: Type, read: Type) -> Read:
    known, default = set(read.node["symbols"]), read.node.get("default")
    names = written.node["symbols"]
    return binary.enum([name if name in known else default for name in names], names)


def _leaf(written: Type, read: Type, row: bool, epoch: bool) -> Read:
    raw = binary.fixed(written.node["size"]) if written.name == "fixed" else _PRIMITIVES[written.name]
    if written.name != read.name:
        if read.name in ("float", "double") and written.name != "float":
            raw = binary.changed(raw, _to_single if read.name == "float" else float)
        elif read.name in ("bytes", "string"):
            raw = _PRIMITIVES[read.name]
    # A number that means a time or a decimal is in the unit and the scale in which its writer wrote it.
    same_family = bool(read.logical) and _family(written.logical) == _family(read.logical)
    form = form_of(read, written.logical if same_family else read.logical, written if same_family else None)
    change = change_of(with_epoch(form, epoch), row)
    return raw if change is None else binary.changed(raw, change)


def _family(logical: str) -> str:
    return logical.rpartition("-")[0] or logical


def _to_single(value: int) -> float:
    return float(struct.unpack("<f", struct.pack("<f", value))[0])
