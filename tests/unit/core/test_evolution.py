"""What a changed schema breaks is named by its field; that the registry agrees is tests/integration/cli/test_schema.py."""

from __future__ import annotations

import pytest

from headrace.core.evolution import breaks_of

from .schema_changes import CHANGES, Change


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_the_field_is_named(change: Change) -> None:
    found = breaks_of(change.format, change.old, change.new, change.level)
    assert [one.field for one in found] == ([] if change.field is None else [change.field])


@pytest.mark.parametrize("change", [c for c in CHANGES if c.level == "BACKWARD"], ids=lambda change: change.name)
def test_forward_is_backward_the_other_way_round(change: Change) -> None:
    backward = breaks_of(change.format, change.old, change.new, "BACKWARD")
    forward = breaks_of(change.format, change.new, change.old, "FORWARD")
    assert [one.field for one in backward] == [one.field for one in forward]


@pytest.mark.parametrize("format_", ["JSON", "Avro", "Protobuf"])
@pytest.mark.parametrize("text", ["", "{", '{"type": 7}', "syntax"])
def test_a_definition_that_cannot_be_read_is_left_to_the_registry(format_: str, text: str) -> None:
    assert breaks_of(format_, text, '{"type": "object"}', "FULL") == ()  # type: ignore[arg-type]


def test_a_level_that_checks_nothing_breaks_nothing() -> None:
    change = next(c for c in CHANGES if c.field is not None)
    assert breaks_of(change.format, change.old, change.new, "NONE") == ()
