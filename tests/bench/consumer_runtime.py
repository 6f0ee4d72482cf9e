"""What the runtime adds to a record, beside a bare confluent-kafka loop that does the same work, in one run.

    python tests/bench/consumer_runtime.py --bootstrap HOST:PORT [--records 1000000] [--rounds 3]

Three consumers read the same topic of six partitions (300-byte values) to its end: a bare loop, the runtime with a lane
per partition, the runtime with one joined handler. Each touches every value, and the two with a group commit.
"""

from __future__ import annotations

import argparse
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from threading import Event

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from headrace_apps.runtime import Batch, BatchSize, Consumption, Record, Room, Runtime
from headrace_apps.runtime.client import consumer_config

PARTITIONS = 6
VALUE = b"x" * 300
TAKE = 2_000


class Count:
    """Ends the run when all records are there."""

    def __init__(self, records: int) -> None:
        self.left, self.stop = records, Event()

    def handle(self, records: Sequence[Record]) -> None:
        self.left -= sum(1 for record in records if record.value)
        if self.left <= 0:
            self.stop.set()


class Joined(Count):
    def find_positions(self, partitions: Sequence[int]) -> Mapping[int, int]:
        return dict.fromkeys(partitions, 0)

    def handle(self, batch: Batch) -> None:  # type: ignore[override]
        super().handle(batch.records)


def bare(kafka: Mapping[str, str], topic: str, records: int) -> None:
    config = consumer_config(kafka, f"bare-{uuid.uuid4().hex}", None) | {"auto.offset.reset": "earliest"}
    consumer = Consumer(config)
    consumer.subscribe([topic])
    left = records
    while left > 0:
        for message in consumer.consume(TAKE, 0.2):
            if message.error() is None and message.value():
                left -= 1
        consumer.commit(asynchronous=True) if left < records else None
    consumer.close()


def with_lanes(kafka: Mapping[str, str], topic: str, records: int) -> None:
    handler = Count(records)
    batch, room = BatchSize(TAKE, 4 * 2**20), Room(60_000, 64 * 2**20)
    Runtime(
        Consumption(kafka, topic, f"lanes-{uuid.uuid4().hex}", batch=batch, room=room), handler, stop=handler.stop
    ).run()


def with_one_batch(kafka: Mapping[str, str], topic: str, records: int) -> None:
    handler = Joined(records)
    batch, room = BatchSize(TAKE, 4 * 2**20), Room(20_000, 32 * 2**20)
    Runtime(Consumption(kafka, topic, None, batch=batch, room=room), stop=handler.stop, joined=handler).run()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    kafka, topic = {"bootstrap.servers": options.bootstrap}, f"bench.{uuid.uuid4().hex}"
    admin = AdminClient(kafka)
    admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result(30)
    producer = Producer({**kafka, "linger.ms": 20, "queue.buffering.max.messages": 1_000_000})
    for number in range(options.records):
        producer.produce(topic, VALUE, partition=number % PARTITIONS)
        if number % 10_000 == 0:
            producer.poll(0)
    producer.flush()
    ways: dict[str, Callable[[Mapping[str, str], str, int], None]] = {
        "bare loop": bare,
        "runtime, a lane per partition": with_lanes,
        "runtime, one joined handler": with_one_batch,
    }
    best = dict.fromkeys(ways, (float("inf"), 0.0))
    for _ in range(options.rounds):
        for name, consume in ways.items():
            wall, cpu = time.perf_counter(), time.process_time()
            consume(kafka, topic, options.records)
            spent = time.process_time() - cpu, time.perf_counter() - wall
            best[name] = min(best[name], spent)
    for name, (cpu, wall) in best.items():
        print(f"{name:<32}{cpu / options.records * 1e6:>7.2f} µs CPU a record {options.records / wall:>12,.0f}/s")


if __name__ == "__main__":
    main()
