"""What a row costs the loader: rows/s and µs of CPU per row, loader and stand-in apart, without Kafka.

    python tests/bench/loader_rows.py --stand-in-python PYTHON [--rounds 5]

PYTHON is that of the stand-in's environment. Rows are the clickstream sample's shape, about 290 bytes of JSON.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

sys.path.append(str(Path(__file__).parents[2]))

from tests.integration.loader.loader_harness import StandInServer

from headrace.core.columns import STRING, TIMESTAMP, Column
from headrace.core.documents import Identity, LoaderDocument, LoaderTopic, Table, TableColumn, Transform
from headrace_apps.loader.batches import BatchBuilder
from headrace_apps.loader.layout import plan_layout
from headrace_apps.loader.session import SnowflakeSession
from headrace_apps.loader.sink import SnowflakeSink
from headrace_apps.runtime import Record, Span

FIELDS = (
    Column(name="event_id", type=STRING, required=True),
    Column(name="user_id", type=STRING, required=True),
    Column(name="session_id", type=STRING),
    Column(name="page", type=STRING, required=True),
    Column(name="referrer", type=STRING),
    Column(name="occurred_at", type=TIMESTAMP, required=True),
)
START_MS = 1_795_374_060_000


Clocks = tuple[float, float, float]
"""Wall, CPU of this process, CPU of the stand-in; seconds."""


@dataclass
class Cost:
    """CPU seconds of both sides and wall seconds, over `rows` rows."""

    rows: int = 0
    wall: float = 0.0
    loader: float = 0.0
    stand_in: float = 0.0

    def add(self, rows: int, before: Clocks, after: Clocks) -> None:
        self.rows += rows
        self.wall += after[0] - before[0]
        self.loader += after[1] - before[1]
        self.stand_in += after[2] - before[2]

    def line(self, label: str) -> str:
        per_row = 1e6 / self.rows
        return (
            f"{label:<34} {self.rows / self.wall:>9,.0f} rows/s   loader {self.loader * per_row:6.1f} µs/row   "
            f"stand-in {self.stand_in * per_row:6.1f} µs/row"
        )


def events(count: int, first: int, rng: random.Random) -> Iterator[Record]:
    for number in range(first, first + count):
        at = START_MS + number // 2
        value = {
            "event_id": f"{number:032x}",
            "user_id": f"user-{rng.randrange(100_000):06d}",
            "session_id": f"{rng.getrandbits(64):016x}",
            "page": f"/products/{rng.randrange(500)}",
            "referrer": "https://www.example.com/search?q=some+thing",
            "occurred_at": f"2026-11-22T{10 + at // 3_600_000 % 10:02d}:{at // 60_000 % 60:02d}:{at // 1000 % 60:02d}."
            f"{at % 1000:03d}Z",
        }
        yield Record(0, number, b"k", json.dumps(value, separators=(",", ":")).encode(), None, at)


def document(server: StandInServer, size: int) -> LoaderDocument:
    columns = [TableColumn(name=f.name.upper(), field=f.name, type=f.type) for f in FIELDS]
    columns[1] = columns[1].model_copy(update={"transform": Transform(kind="hash")})
    return LoaderDocument(
        pipeline="bench",
        sink="rows",
        kafka={},
        group_id=f"bench.rows-{size}",
        dead_letter_topic="bench.dead-letters",
        topic=LoaderTopic(name="clicks", kafka_topic="bench.clicks", compacted=False, key_fields=("user_id",)),
        table=Table(database="HEADRACE", schema_="BENCH", name=f"T{uuid.uuid4().hex[:8].upper()}"),
        columns=tuple(columns),
        fields=FIELDS,
        id=Identity(field="event_id", window_ms=3_600_000),
        event_time_field="occurred_at",
        snowflake=server.settings,
    )


def measure(server: StandInServer, size: int, rounds: int) -> None:
    doc = document(server, size)
    layout = plan_layout(doc)
    builder = BatchBuilder(doc, layout)
    sink = SnowflakeSink(doc, layout, lambda: SnowflakeSession(doc.snowflake, "HEADRACE", "bench"), uuid.uuid4)
    sink.prepare()
    sink.register_positions({0: 0}, "")
    served = psutil.Process(server.pid)
    build, load, rng = Cost(), Cost(), random.Random(1)
    for number in range(rounds + 1):
        records = list(events(size, number * size, rng))
        marks = [clocks(served)]
        batch = builder.build(records, {0: Span(number * size, (number + 1) * size)}, START_MS)
        marks.append(clocks(served))
        loaded = sink.load(batch)
        marks.append(clocks(served))
        if loaded.loaded != size:
            raise SystemExit(f"{loaded} of {size} rows")
        if number:  # the first round warms up
            build.add(size, marks[0], marks[1])
            load.add(size, marks[1], marks[2])
    sink.disconnect()
    print(build.line(f"{size:>6,} rows: decode, project, stage"))
    print(load.line(f"{size:>6,} rows: Parquet, PUT, load"))


def clocks(served: psutil.Process) -> Clocks:
    times = served.cpu_times()
    return time.perf_counter(), time.process_time(), times.user + times.system


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stand-in-python", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = StandInServer(options.stand_in_python, Path(folder))
        server.start()
        try:
            for size in (2_000, 4_000, 50_000):
                measure(server, size, options.rounds)
        finally:
            server.kill()


if __name__ == "__main__":
    main()
