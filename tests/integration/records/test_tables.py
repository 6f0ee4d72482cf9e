"""Records of a topic that evolves, in the table: decimals and bytes, old and new writers, wider columns."""

from __future__ import annotations

import json
import uuid
from decimal import Decimal
from typing import Any

import pytest

from headrace.core.documents import (
    LoaderDocument,
    LoaderTopic,
    SchemaRef,
    SnowflakeConnection,
    Table,
    TableColumn,
)
from headrace.core.schema import read_schema
from headrace_apps.loader.batches import BatchBuilder
from headrace_apps.loader.layout import plan_layout
from headrace_apps.loader.session import SnowflakeSession
from headrace_apps.loader.sink import SnowflakeSink
from headrace_apps.records.encoder import encoder_of
from headrace_apps.records.registry import WriterSchema
from headrace_apps.records.wire import render_prefix
from headrace_apps.runtime import Span
from headrace_apps.runtime.records import Record


def schema(precision: int, *more: dict[str, Any], any_: tuple[str, ...] = ("null", "string")) -> dict[str, Any]:
    decimal = {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": 2}
    fields = [
        {"name": "id", "type": "string"},
        {"name": "price", "type": decimal},
        {"name": "raw", "type": ["null", "bytes"]},
        {"name": "any", "type": list(any_)},
        *more,
    ]
    return {"type": "record", "name": "R", "fields": fields}


OLD = schema(6)
NEW = schema(12, {"name": "note", "type": ["null", "string"], "default": None}, any_=("null", "string", "long"))


class PaperRegistry:
    """OLD is 1, NEW is 2."""

    def writer(self, subject: str, schema_id: int) -> WriterSchema:
        return WriterSchema(json.dumps([OLD, NEW][schema_id - 1]))

    def id_of(self, schema: SchemaRef) -> int | None:
        return None


def declared(definition: dict[str, Any]) -> tuple[SchemaRef, tuple[Any, ...]]:
    found = read_schema("Avro", json.dumps(definition), message=None, event_time=None, needed=[])
    return SchemaRef(format="Avro", subject="s", identity="s/0", definition=found.definition), found.columns


def document(settings: SnowflakeConnection, table: Table, definition: dict[str, Any]) -> LoaderDocument:
    ref, fields = declared(definition)
    return LoaderDocument(
        pipeline="p",
        sink="s",
        kafka={},
        group_id="p.s",
        dead_letter_topic="d",
        topic=LoaderTopic(name="t", kafka_topic=f"t-{table.name}", compacted=False, key_fields=(), schema_=ref),
        table=table,
        columns=tuple(TableColumn(name=field.name.upper(), field=field.name, type=field.type) for field in fields),
        fields=fields,
        snowflake=settings,
    )


def value(schema_id: int, definition: dict[str, Any], **event: Any) -> bytes:
    encoder = encoder_of(*declared(definition))
    assert encoder is not None
    return render_prefix(schema_id) + encoder.encode(event)


@pytest.mark.integration
def test_the_table_follows_the_topic_while_old_writers_go_on(stand_in: Any) -> None:
    settings = SnowflakeConnection(account="t", user="t", host=stand_in.host, port=stand_in.port, protocol="http")
    table = Table(database="HEADRACE", schema_="EVOLVING", name=f"T{uuid.uuid4().hex[:8].upper()}")
    session = SnowflakeSession(settings, "HEADRACE", "test")
    name = f'"HEADRACE"."EVOLVING"."{table.name}"'
    offset = 0

    def load(definition: dict[str, Any], *values: bytes) -> None:
        nonlocal offset
        doc = document(settings, table, definition)
        layout = plan_layout(doc)
        sink = SnowflakeSink(doc, layout, lambda: SnowflakeSession(settings, "HEADRACE", "test"), uuid.uuid4)
        sink.prepare()
        if not offset:
            sink.register_positions({0: 0}, "id")
        records = [Record(0, offset + n, None, value, None, 1_000) for n, value in enumerate(values)]
        end = offset + len(values)
        batch = BatchBuilder(doc, layout, PaperRegistry()).build(records, {0: Span(offset, end)}, 2_000)
        assert batch.dead_letters == []
        assert sink.load(batch).loaded == len(values)
        sink.disconnect()
        offset = end

    def types() -> dict[str, str]:
        return {str(row[0]): str(row[1]) for row in session.execute(f"DESCRIBE TABLE {name}").rows}

    first = value(1, OLD, id="a", price="1234.50", raw="AP8=", any="text")
    load(OLD, first)
    assert types()["PRICE"] == "NUMBER(6,2)"
    assert types()["RAW"].startswith("BINARY")
    later = value(1, OLD, id="b", price="-0.01")
    newest = value(2, NEW, id="c", price="1234567890.12", any=5, note="new")
    load(NEW, later, newest)
    assert types()["PRICE"] == "NUMBER(12,2)"
    assert types()["ANY"].startswith("VARCHAR")
    rows = session.execute(f'SELECT "ID", "PRICE", "RAW", "ANY", "NOTE" FROM {name} ORDER BY "ID"').rows
    assert [(row[0], row[1], row[2] and bytes(row[2]), row[3], row[4]) for row in rows] == [
        ("a", Decimal("1234.50"), b"\x00\xff", "text", None),
        ("b", Decimal("-0.01"), None, None, None),
        ("c", Decimal("1234567890.12"), None, "5", "new"),
    ]
    session.close()
