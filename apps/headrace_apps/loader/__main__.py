"""`python -m headrace_apps.loader --document FILE --metrics-port N`: loads one sink until SIGTERM or Ctrl-C.

Exit codes: 0 stopped when told; 1 the document, the topic or the table is wrong; 3 the metrics port cannot be had, or
Snowflake refuses the login.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from types import FrameType

from confluent_kafka import KafkaException
from pydantic import ValidationError

from headrace.core.dead_letter import stage_of_sink
from headrace.core.documents import LoaderDocument
from headrace_apps.loader.batches import BatchBuilder
from headrace_apps.loader.layout import plan_layout
from headrace_apps.loader.loader import Loader, Parts
from headrace_apps.loader.metrics import LoaderMetrics, LoaderSeries, Readiness, serve
from headrace_apps.loader.session import NotAllowedError, SnowflakeSession
from headrace_apps.loader.sink import SnowflakeSink
from headrace_apps.runtime import (
    Address,
    BatchSize,
    BrokerTopic,
    Consumption,
    DeadLetterTopic,
    OutageError,
    Room,
    Runtime,
    StopError,
    fetch_topic_id,
    new_retry,
)
from headrace_apps.runtime.records import OVERHEAD_BYTES

BYTES_OF_VALUES = 64 * 1024 * 1024
"""What makes a batch due, whatever `batch.max_rows` says: rows of a megabyte must not fill the memory."""

log = logging.getLogger("headrace.loader")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="headrace_apps.loader", description="Loads one sink's topic into its table.")
    parser.add_argument("--document", type=Path, required=True, help="a headrace.loader/v1 document")
    parser.add_argument("--metrics-port", type=int, required=True, help="port of /metrics, /readyz and /healthz")
    parser.add_argument("--metrics-host", default="127.0.0.1", help="its address; in a pod 0.0.0.0, for probes")
    parser.add_argument("--member", help="group.instance.id: partitions are kept over a short restart")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)-7s %(message)s", stream=sys.stderr)
    logging.getLogger("snowflake").setLevel(logging.ERROR)  # what matters of it comes as an exception
    try:
        document = LoaderDocument.from_json(options.document.read_bytes())
        metrics, readiness, stop = LoaderMetrics(document.sink), Readiness(), Event()
        parts = _parts(document, metrics, readiness, stop)
    except (OSError, ValidationError, ValueError) as error:
        return refuse(1, f"{options.document}: {error}")
    try:
        server = serve(options.metrics_port, metrics, readiness, options.metrics_host)
    except OSError as error:
        return refuse(3, f"port {options.metrics_port} for /metrics cannot be had: {error.strerror}")

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    retry = new_retry(stop)
    loader = Loader(document, parts, retry)
    retry.listeners.append(loader.before_retry)
    runtime = Runtime(
        consumption_of(document, options.member),
        stop=stop,
        joined=loader,
        series=LoaderSeries(metrics, readiness),
        retry=retry,
    )
    try:
        # Before joining the group: whoever joins takes partitions from those who can load.
        loader.prepare()
        runtime.run()
    except NotAllowedError as error:
        return refuse(3, f"sink {document.group_id} stops, Snowflake does not allow: {error}")
    except StopError as error:
        return refuse(1, f"sink {document.group_id} stops: {error}")
    except (OutageError, KafkaException) as error:
        if not stop.is_set():
            return refuse(3, f"sink {document.group_id} stops, the Kafka client gave up: {error}")
        log.warning("stopped while waiting: %s", error)
    finally:
        loader.close()
        server.shutdown()
    log.info("stopped")
    return 0


def consumption_of(document: LoaderDocument, member: str | None) -> Consumption:
    """What the document asks for: batches as declared, and room to read one more while one is loaded."""
    rows = document.batch.max_rows
    batch = BatchSize(rows, BYTES_OF_VALUES + rows * OVERHEAD_BYTES, document.batch.max_ms / 1000)
    return Consumption(
        document.kafka,
        document.topic.kafka_topic,
        document.group_id,
        member=member,
        batch=batch,
        room=Room(2 * rows, 2 * batch.size),
        attempts=document.attempts,
    )


def _parts(document: LoaderDocument, metrics: LoaderMetrics, readiness: Readiness, stop: Event) -> Parts:
    """Raises ValueError for a document whose rows could not be staged."""
    layout = plan_layout(document)
    topic = document.topic.kafka_topic
    address = Address(document.dead_letter_topic, stage_of_sink(document.sink), topic)
    return Parts(
        SnowflakeSink(
            document,
            layout,
            lambda: SnowflakeSession(document.snowflake, document.table.database, document.group_id),
            uuid.uuid4,
        ),
        BatchBuilder(document, layout),
        DeadLetterTopic(document.kafka, address, lambda: datetime.now(UTC), stop),
        metrics,
        readiness,
        BrokerTopic(document.kafka, topic),
        lambda: fetch_topic_id(document.kafka, topic),
        time.time,
    )


def refuse(code: int, message: str) -> int:
    """The message is for the person who runs the sink; a traceback would hide it."""
    log.error(message)
    return code


if __name__ == "__main__":
    sys.exit(main())
