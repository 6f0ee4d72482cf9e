"""The first event that `up` prints happened just now, in the form that its schema has for times."""

from __future__ import annotations

import json

import pytest

from headrace.cli.example_events import first_event
from headrace.core.documents import GatewayTopic
from headrace.core.load import load
from headrace.core.plan import plan
from headrace.local.announce import LineAnnouncer
from headrace.local.platform import local_platform
from headrace.local.ports import Ports
from headrace.local.site import Site

MANIFEST = """\
apiVersion: headrace.dev/v1alpha1
kind: StreamPipeline
metadata: {{name: shop}}
spec:
  topics:
    - name: orders
      eventTime: {{field: ts, outOfOrderness: 1s}}
      schema: {{format: JSON, definition: '{definition}'}}
  ingest: [{{topic: orders}}]
"""


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("site")
    return Site(folder, folder, Ports(folder / "ports.json"), LineAnnouncer(print))


def topic_with(site: Site, time: dict[str, str]) -> GatewayTopic:
    definition = json.dumps({"type": "object", "required": ["ts"], "properties": {"ts": time}})
    loaded = load(MANIFEST.format(definition=definition))
    assert loaded.problems == ()
    gateway = plan(loaded.pipelines[0], local_platform(site)).gateway
    return next(topic for topic in gateway.document.topics if topic.ingest)


@pytest.mark.parametrize(
    ("time", "told"),
    [
        ({"type": "string", "format": "date-time"}, "2030-03-17T17:46:40.000Z"),
        ({"type": "integer"}, 1_900_000_000_000),
    ],
)
def test_a_first_event_happened_now(site: Site, time: dict[str, str], told: str | int) -> None:
    assert first_event(topic_with(site, time), 1_900_000_000) == ({"ts": told}, True)
