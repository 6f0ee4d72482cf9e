"""Lag in records and seconds, from where the partitions stand."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from headrace_apps.runtime import ConsumerMetrics, Figures, State
from headrace_apps.runtime.lag import LagClock


def test_lag_is_how_many_records_and_how_old_the_oldest_is() -> None:
    clock = LagClock()
    assert clock.lag({0: 5, 1: 5}, {0: 5, 1: 4}, {}, 100.0) == {0: (0, 0.0), 1: (0, 0.0)}
    # Nothing in hand: behind since it was last seen without lag. In hand: as old as the record.
    assert clock.lag({0: 5, 1: 5}, {0: 8, 1: 9}, {1: 90_000}, 104.0) == {0: (3, 4.0), 1: (4, 14.0)}
    assert clock.lag({0: 8}, {0: 8}, {}, 110.0) == {0: (0, 0.0)}


def test_a_partition_that_comes_anew_counts_from_then_and_a_clock_that_runs_ahead_is_no_lag() -> None:
    clock = LagClock()
    assert clock.lag({0: 0}, {0: 8}, {}, 50.0) == {0: (8, 0.0)}
    assert clock.lag({0: 0}, {0: 8}, {0: 99_000}, 51.0) == {0: (8, 1.0)}
    assert clock.lag({}, {}, {}, 52.0) == {}
    assert clock.lag({0: 0}, {0: 8}, {}, 60.0) == {0: (8, 0.0)}


def test_a_partition_that_went_elsewhere_is_no_longer_told() -> None:
    registry = CollectorRegistry()
    series = ConsumerMetrics(registry).of("c")

    def tell(lag: dict[int, tuple[int, float]]) -> str:
        figures = Figures(joined=True, waiting=1, held=2, size=3, paused=1, breaker=State.OPEN, lag=lag)
        series.tell(figures)
        return generate_latest(registry).decode()

    assert 'headrace_consumer_lag_seconds{consumer="c",partition="0"} 1.5' in tell({0: (4, 1.5), 1: (0, 0.0)})
    text = tell({1: (0, 0.0)})
    assert 'partition="0"' not in text
    assert 'headrace_consumer_breaker_state{consumer="c"} 2.0' in text
    assert 'headrace_consumer_in_flight_bytes{consumer="c"} 3.0' in text
