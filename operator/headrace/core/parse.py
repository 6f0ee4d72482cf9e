"""A YAML document to its wire model, or every shape error at once, worded for the person who wrote it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from headrace.core.manifest import Document
from headrace.core.problems import Path, Problem, nearest, shorten
from headrace.core.wire.common import Wire

W = TypeVar("W", bound=Wire)

# pydantic's error type → what the user reads; {…} is filled from the error's context.
_MESSAGES = {
    "missing": "is required",
    "string_type": "must be a string, not {given}",
    "int_type": "must be a whole number, not {given}",
    "float_type": "must be a number, not {given}",
    "bool_type": "must be true or false, not {given}",
    "list_type": "must be a list, not {given}",
    "dict_type": "must be a mapping, not {given}",
    "model_type": "must be a mapping, not {given}",
    "model_attributes_type": "must be a mapping, not {given}",
    "literal_error": "must be one of {expected}, not {given}",
    "string_too_long": "has more than {max_length} characters",
    "string_too_short": "must not be empty",
    "too_long": "has more than {max_length} items",
    "too_short": "needs at least {min_length}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
}
# What the patterns of the wire models mean, told where they fail.
_PATTERNS = {
    "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$": "must be lower-case letters, digits and -, with a letter or digit at both ends",
    "^[a-z]([-_a-z0-9]*[a-z0-9])?$": "must be lower-case letters, digits, - and _, and start with a letter",
    "^[a-zA-Z0-9._-]+$": "must be letters, digits, '.', '_' and '-'",
    "^https?://[!-~]+$": "must be an http:// or https:// address",
    "^([0-9]+m|[0-9]+(\\.[0-9]{1,3})?)$": "must be a number of processors, like 500m or 2",
    "^[1-9][0-9]*(Mi|Gi|Ti)$": "must be a size, like 512Mi or 10Gi",
    "^[1-9][0-9]*[mg]$": "must be a size as Flink writes it, like 2048m or 4g",
    "^[a-z][a-z0-9+.-]*:/[!-~]*[!-.0-~]$": "must be a URI without a slash at its end, like s3://streams/headrace",
    "^[a-zA-Z0-9.-]+:[0-9]{1,5}(,[a-zA-Z0-9.-]+:[0-9]{1,5})*$": "must be host:port, joined by commas",
    "^([a-zA-Z0-9_-]+\\.)*$": "must be empty, or letters, digits, _ and - with a dot at the end",
    "^[0-9]{1,2}(\\.[0-9]{1,6})?%$": "must be a percentage below 100, like 99.9%",
}


def parse_model(document: Document, model: type[W]) -> W | list[Problem]:
    """The model of the document, or every error with its field and line."""
    try:
        return model.model_validate(document.value)
    except ValidationError as invalid:
        errors = invalid.errors(include_url=False)
        return [_problem(document, model, error) for error in errors]


def _problem(document: Document, model: type[Wire], error: ErrorDetails) -> Problem:
    path: Path = tuple(error["loc"])
    if error["type"] == "extra_forbidden":
        known = _fields_at(model, path[:-1])
        return document.problem(path, "is not a field here", nearest(str(path[-1]), known))
    context: dict[str, Any] = {"given": _given(error["input"]), **error.get("ctx", {})}
    if error["type"] == "value_error":
        message = str(context["error"])
    elif error["type"] == "string_pattern_mismatch":
        message = _PATTERNS.get(context["pattern"], "must match {pattern}").format(**context)
    else:
        message = _MESSAGES.get(error["type"], error["msg"]).format_map(context)
    hint = ""
    if error["type"] == "literal_error" and isinstance(error["input"], str):
        hint = nearest(error["input"], _words(context["expected"]))
        hint = hint if hint.startswith("did") else ""
    return document.problem(path, message, hint)


def _words(expected: str) -> list[str]:
    return [word.strip("'") for word in expected.replace(" or ", ", ").split(", ")]


def _given(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case _:
            return shorten(repr(value), 60)


def _fields_at(model: type[Wire], path: Path) -> Sequence[str]:
    """The field names (as written) of the model that stands at that path."""
    current: Any = model
    for part in path:
        if isinstance(part, int):
            continue
        for name, field in current.model_fields.items():
            if (field.alias or name) == part:
                current = _model_in(field.annotation)
                break
        if current is None:
            return ()
    return [field.alias or name for name, field in current.model_fields.items()]


def _model_in(annotation: Any) -> Any:
    """The wire model inside `X`, `X | None`, `list[X]`."""
    if isinstance(annotation, type) and issubclass(annotation, Wire):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)
