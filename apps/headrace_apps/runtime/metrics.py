"""What a consumer tells about itself (docs/reference/contracts.md, "Metrics"), in its application's own registry."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge

from headrace_apps.runtime.breaker import State
from headrace_apps.runtime.figures import Figures

LABEL = "consumer"


class ConsumerMetrics:
    """The series of all consumers of a process; `of` gives those of one."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, what: str, *more: str) -> Gauge:
            return Gauge(f"headrace_consumer_{name}", what, [LABEL, *more], registry=registry)

        self.in_flight = gauge("in_flight_records", "Records that are held: waiting or in work.")
        self.in_flight_bytes = gauge("in_flight_bytes", "Bytes of the records that are held.")
        self.paused = gauge("paused_partitions", "Partitions that are not fetched because their lane is full.")
        self.breaker = gauge("breaker_state", "The circuit to the target: 0 closed, 1 half open, 2 open.")
        self.lag = gauge("lag_records", "Records between what is done and the last stable offset.", "partition")
        self.lag_seconds = gauge("lag_seconds", "Age of the oldest record that is not done.", "partition")
        self.retries = Counter("headrace_consumer_retries", "Further attempts.", [LABEL], registry=registry)
        self.poison = Counter(
            "headrace_consumer_poison", "Records given up after their attempts.", [LABEL], registry=registry
        )

    def of(self, consumer: str) -> ConsumerSeries:
        return ConsumerSeries(self, consumer)


class ConsumerSeries:
    """The series of one consumer, shown from the start."""

    def __init__(self, metrics: ConsumerMetrics, consumer: str) -> None:
        self._metrics = metrics
        self._name = consumer
        self._partitions: set[int] = set()
        self._retries = metrics.retries.labels(consumer)
        self._poison = metrics.poison.labels(consumer)
        self.tell(Figures(joined=False, waiting=0, held=0, size=0, paused=0, breaker=State.CLOSED, lag={}))

    def tell(self, figures: Figures) -> None:
        metrics = self._metrics
        metrics.in_flight.labels(self._name).set(figures.held)
        metrics.in_flight_bytes.labels(self._name).set(figures.size)
        metrics.paused.labels(self._name).set(figures.paused)
        metrics.breaker.labels(self._name).set(int(figures.breaker))
        self._set_lag(figures.lag)

    def _set_lag(self, lag: Mapping[int, tuple[int, float]]) -> None:
        """Records and seconds by partition; a partition that is not in it belongs to somebody else now."""
        for partition in self._partitions - lag.keys():
            self._metrics.lag.remove(self._name, str(partition))
            self._metrics.lag_seconds.remove(self._name, str(partition))
        self._partitions = set(lag)
        for partition, (records, seconds) in lag.items():
            self._metrics.lag.labels(self._name, str(partition)).set(records)
            self._metrics.lag_seconds.labels(self._name, str(partition)).set(seconds)

    def count_retry(self) -> None:
        self._retries.inc()

    def count_poison(self, records: int) -> None:
        self._poison.inc(records)
