"""The bounds of the gateway in one place; injected, so that a test can make each of them bite."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds."""

    max_body: int = 10 * 1024 * 1024
    """Of one request after decompression."""
    max_event: int = 900_000
    """Of one event: below Kafka's default `message.max.bytes`, with room for key, headers and framing."""
    max_events: int = 10_000
    """Of one request."""
    max_depth: int = 64
    """Of nesting in one event; the schema validator and JVM readers recurse."""
    max_errors: int = 20
    """Reported per event."""
    max_bytes_in_flight: int = 256 * 1024 * 1024
    """Of all request bodies being read or waiting for the broker; beyond it callers get 429."""
    max_events_in_flight: int = 100_000
    """Events handed to the producer and not yet acknowledged; the producer's own queue is larger than this."""
    body_timeout: float = 30.0
    """For a request body to arrive."""
    header_timeout: float = 10.0
    """For a request's line and headers to arrive."""
    delivery_timeout: float = 15.0
    """For the broker's acknowledgement; longer than a broker takes to restart on one machine."""
    drain_timeout: float = 20.0
    """For requests in flight when the process is told to stop; above `delivery_timeout`."""
    max_readers: int = 32
    """Consumers at once: page reads and event streams together."""
    max_page: int = 1_000
    """Events or entries of one page."""
    max_page_bytes: int = 8 * 1024 * 1024
    """After so many bytes of records a page ends, whatever its limit: a thousand of the largest would be 900 MB."""
    max_wait: float = 30.0
    read_timeout: float = 10.0
    """For the broker to answer a page read that does not wait for new events."""
    heartbeat: float = 10.0
    """Of a silent event stream."""
    max_connections: int = 2_048
