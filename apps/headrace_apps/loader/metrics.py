"""What the loader tells about itself: /metrics and /readyz on one loopback port. Beside `loader`.

Names and labels are the contract's (docs/reference/contracts.md, "Metrics"). Records are counted after the commit of
their batch, so no figure is ever taken back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from headrace_apps.runtime import ConsumerMetrics, Figures, State

BATCH_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
OUTCOMES = ("read", "loaded", "duplicate", "dead_lettered")


@dataclass(slots=True)
class Readiness:
    """Ready: a member of the group (with or without partitions), and logged in to Snowflake, which answers."""

    joined: bool = False
    connected: bool = False
    breaker: State = State.CLOSED

    @property
    def missing(self) -> list[str]:
        away = self.breaker is not State.CLOSED
        snowflake = "Snowflake, which is away" if away else "Snowflake"
        waits = {"the consumer group": self.joined, snowflake: self.connected and not away}
        return [what for what, there in waits.items() if not there]


class LoaderMetrics:
    """The loader's own registry; label `sink` is the sink's name."""

    def __init__(self, sink: str) -> None:
        self.registry = CollectorRegistry()
        self._sink = sink
        self._lag_partitions: set[int] = set()
        self._records = Counter(
            "headrace_loader_records",
            "Records by outcome, counted after their batch was committed.",
            ["sink", "outcome"],
            registry=self.registry,
        )
        self._lag = Gauge(
            "headrace_loader_lag_records",
            "Records between what is loaded and the last stable offset.",
            ["sink", "partition"],
            registry=self.registry,
        )
        self._in_hand = Gauge(
            "headrace_loader_in_hand_records",
            "Records that were read and wait for their batch.",
            ["sink"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "headrace_loader_batch_seconds",
            "From a batch's last record to its commit, retries included.",
            ["sink"],
            buckets=BATCH_SECONDS,
            registry=self.registry,
        )
        self._last = Gauge(
            "headrace_loader_last_load_timestamp_seconds",
            "When a batch was last committed, as seconds since 1970.",
            ["sink"],
            registry=self.registry,
        )
        self._waits = Counter(
            "headrace_loader_retries",
            "Attempts that were made again because Snowflake or Kafka did not answer.",
            ["sink"],
            registry=self.registry,
        )
        for outcome in OUTCOMES:
            self._records.labels(sink, outcome)
        self._waits.labels(sink)
        ProcessCollector(registry=self.registry)
        self._consumer = ConsumerMetrics(self.registry).of(sink)

    def count_batch(self, counts: Mapping[str, int], seconds: float, at: float) -> None:
        """`counts` by outcome; `seconds` the batch took; `at` seconds since 1970."""
        for outcome, count in counts.items():
            self._records.labels(self._sink, outcome).inc(count)
        self._seconds.labels(self._sink).observe(seconds)
        self._last.labels(self._sink).set(at)

    def tell(self, figures: Figures) -> None:
        """The runtime's figures, under the loader's own names too."""
        self._consumer.tell(figures)
        self._in_hand.labels(self._sink).set(figures.waiting)
        self.set_lag({partition: records for partition, (records, _) in figures.lag.items()})

    def set_lag(self, lag: Mapping[int, int]) -> None:
        """Records by partition; partitions that are not in it belong to somebody else now."""
        for partition in self._lag_partitions - lag.keys():
            self._lag.remove(self._sink, str(partition))
        self._lag_partitions = set(lag)
        for partition, records in lag.items():
            self._lag.labels(self._sink, str(partition)).set(records)

    def count_retry(self) -> None:
        self._waits.labels(self._sink).inc()
        self._consumer.count_retry()

    def count_poison(self, records: int) -> None:
        self._consumer.count_poison(records)


class LoaderSeries:
    """What the runtime tells, as metrics and as readiness."""

    def __init__(self, metrics: LoaderMetrics, readiness: Readiness) -> None:
        self._metrics = metrics
        self._readiness = readiness

    def tell(self, figures: Figures) -> None:
        self._readiness.joined = figures.joined
        self._readiness.breaker = figures.breaker
        self._metrics.tell(figures)

    def count_retry(self) -> None:
        self._metrics.count_retry()

    def count_poison(self, records: int) -> None:
        self._metrics.count_poison(records)


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """A scrape every few seconds is not news."""


def serve(port: int, metrics: LoaderMetrics, readiness: Readiness, host: str = "127.0.0.1") -> ThreadingWSGIServer:
    """Serve in a thread of its own; `server.shutdown()` ends it. Raises OSError when the port is taken."""
    exposition = make_wsgi_app(metrics.registry)

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        match environ.get("PATH_INFO"):
            case "/metrics":
                page: Iterable[bytes] = exposition(environ, start_response)
                return page
            case "/healthz":
                return _answer(start_response, "200 OK", "ok")
            case "/readyz":
                if readiness.missing:
                    text = f"waiting for {' and '.join(readiness.missing)}"
                    return _answer(start_response, "503 Service Unavailable", text)
                return _answer(start_response, "200 OK", "ready")
        return _answer(start_response, "404 Not Found", "only /metrics, /readyz and /healthz are here")

    server = make_server(host, port, application, ThreadingWSGIServer, handler_class=_Quiet)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server


def _answer(start_response: Callable[..., Any], status: str, text: str) -> Iterable[bytes]:
    start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
    return [f"{text}\n".encode()]
