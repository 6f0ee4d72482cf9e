"""The consumer runtime: everything outside of Flink that reads a topic goes through here (docs/adr/0009).

    runtime    the loop                     lanes, progress    order, memory, what may be committed (pure)
    workload   lanes and their workers      consumption        what a consumer is to do
    reader     the Kafka consumer           handler            the protocols and errors
    work       a lane's batch, to the end   retry, breaker     waiting and trying again
    watch, lag ends, partitions, lag        dead_letters       poison, and a handler's own letters

A whole consumer that mails receipts, each partition in order, four at a time:

    class Receipts:
        def handle(self, records: Sequence[Record]) -> None:
            for record in records:
                try:
                    mail.send(Receipt.of(record.value), once=f"{record.partition}-{record.offset}")
                except mail.ServerAway as error:
                    raise OutageError(str(error)) from error        # waits, for ever: lag, no dead letter
                # any other exception: tried again, at last a dead letter

    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    kafka = {"bootstrap.servers": "127.0.0.1:9092"}
    address = Address("shop.dead-letters", stage="consumer/receipts", source="shop.orders")
    runtime = Runtime(
        Consumption(kafka, "shop.orders", group="shop.receipts", batch=BatchSize(records=100, seconds=0.1)),
        Receipts(),
        stop=stop,
        letters=DeadLetterTopic(kafka, address, lambda: datetime.now(UTC), stop),
        series=ConsumerMetrics(registry).of("receipts"),
    )
    runtime.run()        # until SIGTERM: then what is held is worked off, committed, and the group is left
"""

from headrace_apps.runtime.breaker import Breaker, State
from headrace_apps.runtime.client import client_config, fetch_topic_id
from headrace_apps.runtime.consumption import Consumption
from headrace_apps.runtime.dead_letters import DeadLetterTopic, Letter
from headrace_apps.runtime.figures import Figures, Series
from headrace_apps.runtime.handler import JoinedHandler, LaneHandler, MovedError, OutageError, RefusedError, StopError
from headrace_apps.runtime.lanes import Batch, BatchSize, Room
from headrace_apps.runtime.metrics import ConsumerMetrics, ConsumerSeries
from headrace_apps.runtime.progress import Span
from headrace_apps.runtime.records import Record
from headrace_apps.runtime.retry import Retry
from headrace_apps.runtime.runtime import Runtime, new_retry
from headrace_apps.runtime.watch import BrokerTopic, Seen, TopicOffsets
from headrace_apps.runtime.workload import Watcher
from headrace_apps.runtime.written_letters import Address, KafkaUnavailableError

__all__ = [
    "Address",
    "Batch",
    "BatchSize",
    "Breaker",
    "BrokerTopic",
    "ConsumerMetrics",
    "ConsumerSeries",
    "Consumption",
    "DeadLetterTopic",
    "Figures",
    "JoinedHandler",
    "KafkaUnavailableError",
    "LaneHandler",
    "Letter",
    "MovedError",
    "OutageError",
    "Record",
    "RefusedError",
    "Retry",
    "Room",
    "Runtime",
    "Seen",
    "Series",
    "Span",
    "State",
    "StopError",
    "TopicOffsets",
    "Watcher",
    "client_config",
    "fetch_topic_id",
    "new_retry",
]
