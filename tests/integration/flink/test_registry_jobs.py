"""Jobs between topics in the registry's wire format: peers' records in, records for peers out, each exactly once."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

pytestmark = pytest.mark.integration

START = datetime(2026, 11, 22, 19, tzinfo=UTC)


def option(document: Path, statement: int, name: str) -> str:
    """An option of a table of the job, as its format sees it."""
    sql = json.loads(document.read_text())["statements"][statement]
    found = re.search(rf"'value\.headrace-\w+\.{re.escape(name)}' = '((?:[^']|'')*)'", sql)
    assert found is not None
    return found[1].replace("''", "'")


def message_of(document: Path, statement: int) -> Any:
    pool = descriptor_pool.DescriptorPool()
    descriptors = base64.b64decode(option(document, statement, "descriptors"))
    for file in descriptor_pb2.FileDescriptorSet.FromString(descriptors).file:
        pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(option(document, statement, "message")))


def test_readings_in_avro_and_payments_in_protobuf_go_through_their_jobs(stream: Any, registry: str) -> None:
    for name in ("readings", "latest", "payments", "sums", "dead-letters"):
        stream.topic(name, partitions=1)
    client = SchemaRegistryClient({"url": registry, "timeout": 10})
    readings, payments = (
        stream.document(name, lambda text: text.replace("http://127.0.0.1:8081", registry))
        for name in ("latest-readings", "payment-sums")
    )

    def context(name: str) -> SerializationContext:
        return SerializationContext(stream.topic(name), MessageField.VALUE)

    # As the plan does: what a job writes is registered before it runs.
    client.register_schema(f"{stream.prefix}latest-value", Schema(option(readings, 2, "schema"), "AVRO"))
    client.register_schema(f"{stream.prefix}sums-value", Schema(option(payments, 2, "definition"), "PROTOBUF"))
    write_avro = AvroSerializer(client, option(readings, 0, "schema"))
    paying = message_of(payments, 0)
    write_protobuf = ProtobufSerializer(paying, client, {"use.deprecated.format": False})

    def reading(number: int, device: str, **more: Any) -> bytes:
        value = {
            "reading_id": f"r{number}", "device": device, "celsius": 20.5, "kind": "OUTDOOR", "price": Decimal("-1.25"),
            "labels": {"floor": "2"}, "extra": None, "taken_at": START + timedelta(seconds=number), **more,
        }  # fmt: skip
        return bytes(write_avro(value, context("readings")) or b"")

    def payment(number: int, seconds: float, cents: int, **how: str) -> bytes:
        message = paying(payment_id=f"p{number}", account="a1", cents=cents, **how)
        message.paid_at.FromDatetime(START + timedelta(seconds=seconds))
        message.note.update({"n": [number, None]})
        return bytes(write_protobuf(message, context("payments")) or b"")

    first = reading(1, "d1")
    stream.send("readings", [(b"d1", first), (b"d1", first), (b"d1", first[:-2])])
    stream.send("readings", [(b"d2", reading(2, "d2", celsius=None, extra="text", kind="INDOOR"))])
    stream.send("readings", [(b"d1", reading(3, "d1", extra=7, price=Decimal("99.99")))])
    paid = [payment(1, 1, 100, card="c"), payment(2, 2, 250, iban="DE1"), payment(1, 1, 100, card="c"), b"\x00none"]
    stream.send("payments", [(b"a1", value) for value in paid])
    stream.send("payments", [(b"a1", payment(3, 90, 1, card="c"))])
    of_readings, of_payments = stream.start(readings, payments)

    read_avro = AvroDeserializer(client)
    latest = stream.await_records("latest", 3)
    assert [message.key() for message in latest] == [b"d1", b"d2", b"d1"]
    values: list[Any] = [read_avro(message.value(), context("latest")) for message in latest]
    common = {"device": "d1", "kind": "OUTDOOR", "labels": {"floor": "2"}, "celsius": 20.5}
    assert values == [
        {**common, "price": Decimal("-1.25"), "extra": None, "taken_at": START + timedelta(seconds=1)},
        {**common, "device": "d2", "kind": "INDOOR", "celsius": None, "price": Decimal("-1.25"), "extra": "text",
         "taken_at": START + timedelta(seconds=2)},
        {**common, "price": Decimal("99.99"), "extra": 7, "taken_at": START + timedelta(seconds=3)},
    ]  # fmt: skip
    stream.await_counters(of_readings, {"read": 5, "malformed": 1, "late": 0, "duplicate": 1, "used": 3})

    # The watermark moves with the clock: late is what comes when the closed window is there to be read.
    stream.await_records("sums", 1)
    late = payment(4, 3, 1, card="late")
    stream.send("payments", [(b"a1", late), (b"a1", payment(5, 200, 1, iban="DE1"))])
    sums = stream.await_records("sums", 2)
    # Without the registry: this one gives a .proto file back as it was registered, the peer wants it compiled.
    read_protobuf = ProtobufDeserializer(message_of(payments, 2), {"use.deprecated.format": False})
    one: Any = read_protobuf(sums[0].value(), context("sums"))
    assert (one.account, one.cents, dict(one.by_how)) == ("a1", 350, {"card": 1, "iban": 1})
    assert one.window_start.ToDatetime(UTC) == START
    assert json.loads(one.note.string_value or "null") is None
    assert one.note.struct_value["n"][0] == 2
    letters = [message.value() for message in stream.await_records("dead-letters", 3)]
    assert sorted(letters) == sorted([first[:-2], b"\x00none", late])
    stream.await_counters(of_payments, {"read": 7, "malformed": 1, "late": 1, "duplicate": 1, "used": 4})


def test_orders_see_the_account_of_their_time_until_it_is_deleted(stream: Any) -> None:
    for name in ("orders", "accounts", "currencies", "dead-letters"):
        stream.topic(name, partitions=1)
    (job,) = stream.start(stream.document("order-currencies"))

    def at(seconds: float) -> str:
        return (START + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")

    def order(name: str, account: str, seconds: float) -> tuple[bytes, bytes]:
        value = {"order_id": name, "account_id": account, "ordered_at": at(seconds)}
        return name.encode(), json.dumps(value).encode()

    def account(name: str, currency: str, seconds: float) -> tuple[bytes, bytes]:
        value = {"account_id": name, "currency": currency, "updated_at": at(seconds)}
        return name.encode(), json.dumps(value).encode()

    stream.send("accounts", [account("a1", "EUR", 10), account("a2", "GBP", 10), account("a1", "USD", 20)])
    deleted = START + timedelta(seconds=30)
    stream.send("accounts", [(b"a2", None), (None, None), (b"a\xff", None)], timestamp=deleted)
    stream.send("accounts", [account("other", "SEK", 100)])
    # In the order of their times, so that none is late wherever the watermark stands.
    orders = [("o6", "a1", 5), ("o5", "a3", 12), ("o1", "a1", 15), ("o2", "a1", 25), ("o3", "a2", 25), ("o4", "a2", 35)]
    stream.send("orders", [order(*each) for each in orders] + [order("end", "a1", 100)])

    joined = [json.loads(message.value()) for message in stream.await_records("currencies", 6)]
    assert {row["order_id"]: row.get("currency") for row in joined} == {
        "o1": "EUR", "o2": "USD", "o3": "GBP", "o4": None, "o5": None, "o6": None,
    }  # fmt: skip
    letters = stream.await_records("dead-letters", 2)
    assert [(message.key(), message.value()) for message in letters] == [(None, None), (b"a\xff", None)]
    stream.await_counters(job, {"read": 14, "malformed": 2, "late": 0, "duplicate": 0, "used": 12})
