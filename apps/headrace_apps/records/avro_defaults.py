"""The value of a field that its writer did not have: the default of the topic's schema, in the JSON form or a row's.

Defaults are written in JSON by rules of their own (specification 1.12, "Complex Types"): bytes as text of code points
below 256, a union's as one of its branches.
"""

from __future__ import annotations

from typing import Any

from headrace_apps.records.avro_schema import Named, Node, change_of, form_of, type_of, with_epoch

_TYPES: dict[str, tuple[type, ...]] = {
    "null": (type(None),), "boolean": (bool,), "int": (int,), "long": (int,), "float": (float, int),
    "double": (float, int), "string": (str,), "bytes": (str,), "fixed": (str,), "enum": (str,),
    "record": (dict,), "map": (dict,), "array": (list,),
}  # fmt: skip


def default_of(node: Node, value: Any, named: Named, *, row: bool, epoch: bool = False) -> Any:
    """Raises UnfitError, TypeError, KeyError or AttributeError for what is no value of the type."""
    read = type_of(node, named)
    match read.name:
        case "union":
            return default_of(_branch_for(node, value, named), value, named, row=row, epoch=epoch)
        case "null":
            return None
        case "record":
            out = {}
            for field in read.node["fields"]:
                given = value[field["name"]] if field["name"] in value else field["default"]
                if (found := default_of(field["type"], given, named, row=False)) is not None:
                    out[field["name"]] = found
            return out
        case "array":
            return [default_of(read.node["items"], item, named, row=False) for item in value]
        case "map":
            return {name: default_of(read.node["values"], item, named, row=False) for name, item in value.items()}
        case "bytes" | "fixed":
            value = value.encode("latin-1")
        case "float" | "double":
            value = float(value)
    change = change_of(with_epoch(form_of(read), epoch), row)
    return value if change is None else change(value)


def _branch_for(union: Node, value: Any, named: Named) -> Node:
    """The branch of a default: the first that it can be (older versions of Avro always mean the first)."""
    for branch in union:
        name = type_of(branch, named).name
        if isinstance(value, _TYPES[name]) and (name == "boolean" or not isinstance(value, bool)):
            return branch
    return union[0]
