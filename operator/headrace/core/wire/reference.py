"""The reference of a resource as Markdown, from the wire models: field, type, default, what it means.

Written to docs/reference by `make golden-update`; a test fails when the file is stale.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from headrace.core.wire.common import Wire


def render_reference(model: type[Wire], title: str, intro: str) -> str:
    """A table per section of `spec`, in the order of the model."""
    lines = [f"# {title}", "", intro, ""]
    spec = _wire_in(model.model_fields["spec"].annotation)
    for path, section in _sections(spec, "spec"):
        lines += [f"## `{path}`", "", "| field | type | default | meaning |", "|---|---|---|---|"]
        lines += [_row(name, field) for name, field in _fields(section)]
        lines.append("")
    return "\n".join(lines)


def _sections(model: type[Wire], path: str) -> Iterator[tuple[str, type[Wire]]]:
    yield path, model
    for name, field in _fields(model):
        inner = _wire_in(field.annotation)
        if inner is not None:
            yield from _sections(inner, f"{path}.{name}{'[]' if _is_list(field.annotation) else ''}")


def _fields(model: type[Wire]) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        yield field.alias or name, field


def _row(name: str, field: FieldInfo) -> str:
    default = "required" if field.is_required() else _default(field)
    meaning = " ".join(filter(None, (field.description or "", _bounds(field))))
    meaning = meaning.replace("<", "&lt;").replace("|", "\\|")
    return f"| `{name}` | {_type(field.annotation)} | {default} | {meaning} |".replace("  ", " ")


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None or field.default is None:
        return ""
    return f"`{field.default}`"


def _bounds(field: FieldInfo) -> str:
    limits = {
        type(item).__name__: getattr(item, kind)
        for item in field.metadata
        for kind in ("ge", "le", "min_length", "max_length")
        if hasattr(item, kind) and getattr(item, kind) is not None
    }
    if "Ge" in limits and "Le" in limits:
        return f"{limits['Ge']:,} to {limits['Le']:,}."
    return f"At most {limits['MaxLen']:,}." if "MaxLen" in limits else ""


def _type(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _type(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return " or ".join(_type(part) for part in get_args(annotation) if part is not NoneType)
    if origin is Literal:
        return " · ".join(f"`{value}`" for value in get_args(annotation))
    if origin is list:
        return f"list of {_type(get_args(annotation)[0])}"
    if isinstance(annotation, type) and issubclass(annotation, Wire):
        return "mapping"
    names = {str: "string", int: "integer", float: "number", bool: "true or false"}
    return names.get(annotation, "any")


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) is list or any(_is_list(part) for part in get_args(annotation))


def _wire_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, Wire):
        return annotation
    return next((found for part in get_args(annotation) if (found := _wire_in(part))), None)
