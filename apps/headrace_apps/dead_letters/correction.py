"""A JSON Patch (RFC 6902) that makes a letter's value right before it is sent again. Pure."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

from jsonpath import JSONPatch, JSONPatchError, JSONPointerError


class WrongPatchError(ValueError):
    """The patch itself is none; the message says which operation."""


class NotApplicableError(ValueError):
    """The patch does not fit this value, say because a `test` fails."""


class Correction:
    """Operations in order; all or nothing for each value."""

    def __init__(self, operations: Any) -> None:
        """Raises WrongPatchError."""
        try:
            self._patch = JSONPatch(operations)
        except (JSONPatchError, JSONPointerError, TypeError, KeyError) as error:
            raise WrongPatchError(f"is no JSON Patch: {error}") from error

    def apply(self, value: Any) -> Any:
        """A new value. Raises NotApplicableError."""
        try:
            return self._patch.apply(deepcopy(value))
        except (JSONPatchError, JSONPointerError, TypeError, ValueError) as error:
            raise NotApplicableError(f"the patch does not fit: {error}") from error


def parse_correction(argument: str) -> Correction:
    """`[{"op": …}]`, or `@file` with it. Raises WrongPatchError."""
    try:
        text = Path(argument[1:]).read_text() if argument.startswith("@") else argument
    except OSError as error:
        raise WrongPatchError(f"{argument[1:]} cannot be read: {error.strerror}") from error
    try:
        return Correction(json.loads(text))
    except json.JSONDecodeError as error:
        raise WrongPatchError(f"is no JSON Patch: {error}") from error
