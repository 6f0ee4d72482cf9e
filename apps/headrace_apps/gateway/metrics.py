"""What the gateway counts (docs/reference/contracts.md, "Metrics"). A registry per gateway, so tests share nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

OUTCOMES = ("accepted", "refused", "dead_lettered", "failed")


@dataclass(frozen=True, slots=True)
class TopicMetrics:
    """One topic's series, looked up once instead of per request."""

    events: Mapping[str, Counter]
    ack_seconds: Histogram


class Metrics:
    """The gateway's own figures beside those of its process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self.events = Counter(
            "headrace_gateway_events", "Events by outcome", ["topic", "outcome"], registry=self.registry
        )
        self.ack_seconds = Histogram(
            "headrace_gateway_ack_seconds",
            "From a judged request to the broker's acknowledgement of all its events",
            ["topic"],
            buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15),
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "headrace_gateway_events_in_flight", "Handed over, not yet acknowledged", registry=self.registry
        )
        self.readers = Gauge(
            "headrace_gateway_readers", "Consumers that page reads and streams hold", registry=self.registry
        )
        self.view_records = Gauge(
            "headrace_gateway_view_keys", "Keys in a materialised view", ["view"], registry=self.registry
        )

    def of_topic(self, topic: str) -> TopicMetrics:
        """The topic's series, shown from the start: a rate over a series that appears later misses its first."""
        outcomes = {outcome: self.events.labels(topic, outcome) for outcome in OUTCOMES}
        return TopicMetrics(outcomes, self.ack_seconds.labels(topic))
