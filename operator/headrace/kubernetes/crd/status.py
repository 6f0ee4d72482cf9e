"""What the operator writes into `status`: the shape of it, for the CRD and for whoever fills it in."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, WithJsonSchema

from headrace.core.wire.common import Wire

Short = Annotated[str, StringConstraints(max_length=63)]
Time = Annotated[
    str, StringConstraints(max_length=40), WithJsonSchema({"type": "string", "format": "date-time", "maxLength": 40})
]


class Condition(Wire):
    type: Annotated[str, StringConstraints(min_length=1, max_length=316)] = Field(description="What is told of.")
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it holds.")
    reason: Annotated[
        str, StringConstraints(min_length=1, max_length=1024, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")
    ] = Field(description="Why, in one word for programs.")
    message: str = Field(max_length=32_768, description="Why, for people: where, what, what to do.")
    last_transition_time: Time = Field(description="Since when the status is so.")
    observed_generation: int | None = Field(None, ge=0, description="Of which version of the spec this is told.")


class Summary(Wire):
    topics: Short | None = Field(None, description="Topics that are ready, of all.", examples=["4/4"])
    jobs: Short | None = Field(None, description="Jobs that run, of all.", examples=["2/3"])
    sinks: Short | None = Field(None, description="Sinks that run, of all.", examples=["1/1"])
    lag: Short | None = Field(
        None, description="The age of the oldest event that waits, of all jobs and sinks.", examples=["3s"]
    )


class Child(Wire):
    kind: Short = Field(description="The object's kind.")
    name: Annotated[str, StringConstraints(max_length=253)] = Field(description="The object's name.")
    ready: bool = Field(description="Whether it does what it is there for.")
    reason: str | None = Field(None, max_length=1024, description="Why not.")
    message: str | None = Field(None, max_length=1024, description="Why not, for people.")


class PipelineStatus(Wire):
    observed_generation: int | None = Field(None, ge=0, description="The version of the spec that was last acted on.")
    conditions: list[Condition] = Field(default_factory=list, max_length=32, description="What holds, and why.")
    summary: Summary | None = Field(None, description="The pipeline in figures.")
    children: list[Child] = Field(default_factory=list, max_length=500, description="What was made, and how it is.")


class PlatformStatus(Wire):
    observed_generation: int | None = Field(None, ge=0, description="The version of the spec that was last acted on.")
    conditions: list[Condition] = Field(default_factory=list, max_length=32, description="What holds, and why.")
    pipelines: int | None = Field(None, ge=0, description="How many pipelines run here.")
