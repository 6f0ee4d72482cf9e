"""A sample: one pipeline of manifests/samples, what it is sent and what must become of that.

The machinery (traffic, watchers, drain, check) is the same for all of them and knows none. Topics, views and sinks are
read off the manifest, as a user would; what an event says and what arithmetic it should lead to is the sample's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from headrace_apps.demo.check.expectation import Accepted, Expectation
    from headrace_apps.demo.stream import Author
    from headrace_apps.demo.wire import Wire

SAMPLES_FOLDER = Path("manifests/samples")
DEAD_LETTERS = "dead-letters"


@dataclass(frozen=True, slots=True)
class Topic:
    """What a client has to know of a topic. `message`: of a Protobuf file with several, the topic's."""

    name: str
    kafka: str
    format: str
    definition: str
    message: str | None
    key_fields: tuple[str, ...]
    id_field: str | None
    time_field: str | None
    compacted: bool


@dataclass(frozen=True, slots=True)
class Sink:
    """`table` is SCHEMA.TABLE."""

    name: str
    topic: str
    table: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """A pipeline's manifest, as far as its clients need it. `views`: name → topic."""

    pipeline: str
    topics: Mapping[str, Topic]
    views: Mapping[str, str]
    sinks: Mapping[str, Sink]
    jobs: tuple[str, ...]

    def kafka(self, topic: str) -> str:
        """A topic's name in Kafka; the dead letters' too."""
        return f"{self.pipeline}.{topic}"


@dataclass(frozen=True, slots=True)
class Sign:
    """A record that a job wrote: its time goes on, so what is late is late for it from then on.

    Two jobs may share an output; `marker` are bytes that only records of this one hold.
    """

    topic: str
    marker: bytes = b""


@dataclass(frozen=True, slots=True)
class Sample:
    """`share`: of the rate that is asked for. `events`: the topic that takes the events."""

    name: str
    share: float
    events: str
    outputs: tuple[str, ...]
    """The topics that jobs write."""
    followed: str
    """The output that is read through the API while the run goes on."""
    one_to_one: bool
    """Whether that output has every accepted event once, so that latencies can be measured on it."""
    view: str
    """The view whose first row is the first aggregate."""
    signs: tuple[Sign, ...]
    """One for each job that can find an event late."""
    peers: float
    """Share of the batches that a producer sends straight into Kafka, with another maker's serializers."""
    references_view: str | None
    """A view that must show the reference records before the first event refers to them."""
    author: Callable[[Random], Author]
    malformed: Callable[[Random, Wire], list[tuple[str, bytes | None]]]
    """Names and bytes of records that are no rows; one of each kind."""
    expect: Callable[[Accepted], Expectation]


def parse_manifest(text: str) -> Manifest:
    """Of a valid manifest; defaults are those of the reference."""
    manifest = yaml.safe_load(text)
    spec, pipeline = manifest["spec"], manifest["metadata"]["name"]
    sinks = (Sink(s["name"], s["topic"], s["snowflake"]["table"]) for s in spec.get("sinks", ()))
    return Manifest(
        pipeline=pipeline,
        topics={topic["name"]: _topic(topic, pipeline) for topic in spec["topics"]},
        views={view["name"]: view["topic"] for view in spec.get("views", ())},
        sinks={sink.name: sink for sink in sinks},
        jobs=tuple(job["name"] for job in spec.get("jobs", ())),
    )


def _topic(topic: Mapping[str, Any], pipeline: str) -> Topic:
    schema = topic["schema"]
    return Topic(
        name=topic["name"],
        kafka=f"{pipeline}.{topic['name']}",
        format=schema.get("format", "JSON"),
        definition=schema["definition"],
        message=schema.get("message"),
        key_fields=tuple(topic.get("keyFields", ())),
        id_field=topic.get("id", {}).get("field"),
        time_field=topic.get("eventTime", {}).get("field"),
        compacted="compact" in topic.get("cleanupPolicy", ()),
    )


def read_manifest(path: Path) -> Manifest:
    """Raises OSError."""
    return parse_manifest(path.read_text())


def manifest_path(name: str) -> Path:
    return SAMPLES_FOLDER / name / "pipeline.yaml"
