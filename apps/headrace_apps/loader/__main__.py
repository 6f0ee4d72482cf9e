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

from headrace.core.documents import LoaderDocument
from headrace_apps.loader.batches import BatchBuilder
from headrace_apps.loader.dead_letters import DeadLetterTopic
from headrace_apps.loader.evolution import TableMismatchError
from headrace_apps.loader.layout import plan_layout
from headrace_apps.loader.loader import Loader
from headrace_apps.loader.metrics import LoaderMetrics, Readiness, serve
from headrace_apps.loader.poison import EveryRowRefusedError
from headrace_apps.loader.positions import PositionLostError
from headrace_apps.loader.session import NotAllowedError, SnowflakeSession
from headrace_apps.loader.sink import SnowflakeSink
from headrace_apps.loader.source import SourceError

log = logging.getLogger("headrace.loader")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="headrace_apps.loader", description="Loads one sink's topic into its table.")
    parser.add_argument("--document", type=Path, required=True, help="a headrace.loader/v1 document")
    parser.add_argument("--metrics-port", type=int, required=True, help="loopback port of /metrics and /readyz")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)-7s %(message)s", stream=sys.stderr)
    logging.getLogger("snowflake").setLevel(logging.ERROR)  # what matters of it comes as an exception
    try:
        document = LoaderDocument.from_json(options.document.read_bytes())
        layout = plan_layout(document)
        builder = BatchBuilder(document, layout)
    except (OSError, ValidationError, ValueError) as error:
        return refuse(1, f"{options.document}: {error}")
    stop = Event()
    metrics, readiness = LoaderMetrics(document.sink), Readiness()
    try:
        server = serve(options.metrics_port, metrics, readiness)
    except OSError as error:
        return refuse(3, f"port {options.metrics_port} for /metrics cannot be had: {error.strerror}")

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    sink = SnowflakeSink(
        document,
        layout,
        lambda: SnowflakeSession(document.snowflake, document.table.database, document.group_id),
        uuid.uuid4,
    )
    dead_letters = DeadLetterTopic(document, lambda: datetime.now(UTC), stop)
    loader = Loader(
        document, sink, builder, dead_letters, metrics=metrics, readiness=readiness, stop=stop, clock=time.time
    )
    try:
        loader.run()
    except (SourceError, PositionLostError, TableMismatchError, EveryRowRefusedError) as error:
        return refuse(1, f"sink {document.group_id} stops: {error}")
    except NotAllowedError as error:
        return refuse(3, f"sink {document.group_id} stops, Snowflake does not allow: {error}")
    except KafkaException as error:
        return refuse(3, f"sink {document.group_id} stops, the Kafka client gave up: {error}")
    finally:
        server.shutdown()
    log.info("stopped")
    return 0


def refuse(code: int, message: str) -> int:
    """The message is for the person who runs the sink; a traceback would hide it."""
    log.error(message)
    return code


if __name__ == "__main__":
    sys.exit(main())
