"""The shape of a fixture file, as written (docs/reference/fixtures.md)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from headrace.core.wire.common import Wire

DEAD_LETTERS = "deadLetters"


class LetterFixture(Wire):
    reason: Literal["Malformed", "Late"] = Field(description="Why it was dead-lettered.")
    topic: str | None = Field(None, description="The input that it came from.")
    job: str | None = Field(None, description="The job that refused it.")
    id: str | int | None = Field(None, description="The value of the topic's id field.")
    raw: str | None = Field(None, description="The value's very text.")
    value: dict[str, Any] | None = Field(None, description="Fields of the value; those left out are not compared.")
    error: str | None = Field(None, description="A part of the reason's text.")


class RowsFixture(Wire):
    rows: list[dict[str, Any]] = Field(max_length=10_000)
    match: Literal["Exact", "Subset"] = Field("Exact", description="Exact: no other rows. Subset: others may come.")
    order: Literal["Any", "AsGiven"] = "Any"
    fields: Literal["Named", "All"] = Field("Named", description="All: a field left out must be null or missing.")


class CaseFixture(Wire):
    name: str = Field(min_length=1, max_length=200)
    given: dict[str, list[dict[str, Any]]] = Field(description="Events per topic, in the order in which they arrive.")
    expect: dict[str, Any] = Field(description="Rows per output topic, and deadLetters.")
    jobs: list[str] | None = Field(None, min_length=1, description="The jobs that run, when it is not to be derived.")


class FixtureFile(Wire):
    pipeline: str | None = Field(None, description="Needed where the manifest holds several pipelines.")
    cases: list[CaseFixture] = Field(min_length=1, max_length=1000)


class ValueForm(Wire):
    """An event that is more than its value."""

    model_config = ConfigDict(alias_generator=lambda name: f"${name}")

    value: dict[str, Any] | None = None
    raw: str | None = None
    base64: str | None = None
    key: str | None = None
    time: str | None = None
    headers: dict[str, str] = Field(default_factory=dict)
