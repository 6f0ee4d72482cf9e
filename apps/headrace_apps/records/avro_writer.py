"""The JSON form into the values that fastavro writes, by the topic's own schema. Used by `avro.AvroEncoder`."""

from __future__ import annotations

from typing import Any

from headrace_apps.records.avro_schema import Named, Node, Schema, Type, form_of, type_of, with_epoch
from headrace_apps.records.forms import Change, Form, InexactError, array, mapping, object_schema, same
from headrace_apps.records.outcome import UnfitError


def field_forms(schema: Schema, epoch_millis: str | None) -> dict[str, Form]:
    """The form of each field of the topic's record; of arrays, maps, records and unions only `write` and `schema`."""
    return {
        field["name"]: with_epoch(_form(field["type"], schema.named), field["name"] == epoch_millis)
        for field in schema.root["fields"]
    }


def _form(node: Node, named: Named) -> Form:
    read = type_of(node, named)
    match read.name:
        case "union":
            return _union(read, named)
        case "record":
            return _record(read, named)
        case "array":
            return array(_form(read.node["items"], named))
        case "map":
            return mapping(_form(read.node["values"], named))
        case "null":
            return Form(None, _write_null, {"type": "null"})
    return form_of(read)


def _write_null(value: Any) -> None:
    if value is not None:
        raise UnfitError("must be null")


def write_fields(fields: list[tuple[str, Change]], value: Any) -> dict[str, Any]:
    """A record's values; a field that is missing is as if it were null. Names that the schema does not have are
    ignored. Raises UnfitError at the first that does not fit."""
    if type(value) is not dict:
        raise UnfitError("must be an object")
    out = {}
    for name, write in fields:
        try:
            out[name] = write(value.get(name))
        except UnfitError as error:
            if value.get(name) is None and not error.path:
                raise UnfitError("is required and may not be null", (name,)) from None
            raise error.below(name) from None
    return out


def _record(read: Type, named: Named) -> Form:
    forms = {field["name"]: _form(field["type"], named) for field in read.node["fields"]}
    fields = [(name, form.write) for name, form in forms.items()]
    return Form(same, lambda value: write_fields(fields, value), form_schema(forms))


def _required(forms: dict[str, Form]) -> list[str]:
    return [name for name, form in forms.items() if not _takes_null(form)]


def _takes_null(form: Form) -> bool:
    try:
        form.write(None)
    except UnfitError:
        return False
    return True


def form_schema(forms: dict[str, Form]) -> dict[str, Any]:
    """The JSON Schema of a record's JSON form."""
    return {**object_schema(forms), "required": _required(forms)}


def _union(read: Type, named: Named) -> Form:
    """fastavro is told the branch (its tuple notation): left to itself it tries them all for every value."""
    branches = []
    for node in read.node:
        branch = type_of(node, named)
        branches.append((branch.node.get("name", branch.name), branch.name, _form(node, named)))
    others = [branch for branch in branches if branch[1] != "null"]
    nullable = len(others) < len(branches)
    if len(others) == 1:
        name, _, form = others[0]
        write = form.write
        if not nullable:
            return Form(form.read, lambda value: (name, write(value)), form.schema, form.row)
        schema = {"anyOf": [form.schema, {"type": "null"}]}
        return Form(form.read, lambda value: None if value is None else (name, write(value)), schema, form.row)

    exact = any(kind in ("int", "long", "bytes", "fixed") for _, kind, _ in others)

    def write_any(value: Any) -> Any:
        if value is None and nullable:
            return None
        if exact and type(value) is float:
            raise InexactError("must be exact")  # 1.0 is whole, and the first branch that fits takes it
        for name, _, form in others:
            try:
                return (name, form.write(value))
            except UnfitError:
                continue
        raise UnfitError("fits none of the types of its union")

    schema = {"anyOf": [form.schema for _, _, form in branches]}
    return Form(same, write_any, schema)
