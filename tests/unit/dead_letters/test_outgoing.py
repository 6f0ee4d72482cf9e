"""What is sent for a letter: as it was, corrected, or not at all and why."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headrace.core.dead_letter import Reason
from headrace.core.documents import GatewayDocument, SchemaRef
from headrace_apps.dead_letters.correction import Correction, WrongPatchError, parse_correction
from headrace_apps.dead_letters.letter import Letter
from headrace_apps.dead_letters.outgoing import Kept, Outgoing, Preparation
from headrace_apps.inspection.values import Values
from headrace_apps.records.registry import WriterSchema

from .letters_made import DOCUMENT, letter

NOW = 1_763_800_000.0


def prepare(found: Letter, patch: Any = None, **options: Any) -> Outgoing | Kept:
    known = options.pop("known", frozenset({"shop.orders"}))
    document = options.pop("document", DOCUMENT)
    correction = None if patch is None else Correction(patch)
    return Preparation(document, known, correction, lambda: NOW, **options).prepare(found)


def sent(found: Outgoing | Kept) -> Outgoing:
    assert isinstance(found, Outgoing), found
    return found


def kept(found: Outgoing | Kept) -> str:
    assert isinstance(found, Kept), found
    return found.why


def test_a_jobs_letter_goes_back_byte_by_byte_even_if_it_is_no_json() -> None:
    outgoing = sent(prepare(letter(b"\x00\xff", key=b"k\xff", headers=[("trace", b"abc")])))
    assert (outgoing.topic, outgoing.key, outgoing.value) == ("shop.orders", b"k\xff", b"\x00\xff")
    assert outgoing.headers == [("trace", b"abc"), ("headrace.attempt", b"2"), ("headrace.redriven", b"0-0")]


def test_a_tombstone_goes_back_as_one() -> None:
    assert sent(prepare(letter(None))).value is None


def test_what_the_gateway_refused_and_is_still_wrong_is_kept_with_why() -> None:
    why = kept(prepare(letter(b'{"id": "1", "user": "ann", "amount": -1}', stage="gateway", key=None)))
    assert why.startswith("is not valid for orders: /amount: ")


def test_what_the_gateway_refused_and_is_valid_now_becomes_an_event_with_a_key() -> None:
    raw = b'{"id": "1", "user": "ann"}'
    outgoing = sent(prepare(letter(raw, stage="gateway", key=None)))
    assert (outgoing.key, outgoing.value) == (b"ann", raw)
    assert dict(outgoing.headers) == {
        "headrace.schema": b"shop.orders-value/0",
        "headrace.accepted": b"1763800000000",
        "headrace.attempt": b"2",
        "headrace.redriven": b"0-0",
    }


def test_a_patch_makes_a_value_right_and_its_key_is_made_anew() -> None:
    found = letter(b'{"id": "1", "usr": "ann", "amount": -1}', reason=Reason.SCHEMA_INVALID, key=b"old")
    patch = [
        {"op": "move", "from": "/usr", "path": "/user"},
        {"op": "test", "path": "/amount", "value": -1},
        {"op": "replace", "path": "/amount", "value": 0},
    ]
    outgoing = sent(prepare(found, patch))
    assert json.loads(outgoing.value or b"") == {"id": "1", "user": "ann", "amount": 0}
    assert outgoing.key == b"ann"


@pytest.mark.parametrize(
    ("value", "patch", "why"),
    [
        (b'{"id": "1"}', [{"op": "test", "path": "/id", "value": "2"}], "the patch does not fit"),
        (b'{"id": "1"}', [{"op": "replace", "path": "/missing", "value": 1}], "the patch does not fit"),
        (b"{broken", [{"op": "remove", "path": "/id"}], "the value is not JSON"),
        (b'{"id": "1", "user": "ann"}', [{"op": "remove", "path": "/id"}], "is not valid for orders"),
    ],
)
def test_a_letter_that_the_patch_does_not_make_valid_is_kept(value: bytes, patch: Any, why: str) -> None:
    assert kept(prepare(letter(value), patch)).startswith(why)


def test_topics_that_are_gone_or_not_ours_are_not_written_to() -> None:
    assert "has no topic shop.gone any more" in kept(prepare(letter(topic="shop.gone")))
    assert "the broker has no topic shop.orders" in kept(prepare(letter(), known=frozenset()))
    external = DOCUMENT.topics[0].model_copy(update={"kafka_topic": "legacy.orders"})
    document = DOCUMENT.model_copy(update={"topics": (external,)})
    found, known = letter(topic="legacy.orders"), frozenset({"legacy.orders"})
    assert "is not the pipeline's own topic" in kept(prepare(found, document=document, known=known))
    assert sent(prepare(found, document=document, known=known, external=True)).topic == "legacy.orders"


@pytest.mark.parametrize("text", ['{"op": "add"}', '[{"op": "eat", "path": "/a"}]', "[", '[{"op": "add"}]', "@nowhere"])
def test_what_is_no_patch_is_told_before_anything_is_read(text: str) -> None:
    with pytest.raises(WrongPatchError):
        parse_correction(text)


AVRO = {
    "type": "record",
    "name": "Order",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "user", "type": "string"},
        {"name": "amount", "type": "double"},
    ],
}


class OneSchema:
    """A registry with one schema, or with none."""

    def __init__(self, number: int | None) -> None:
        self._number = number

    def writer(self, subject: str, schema_id: int) -> WriterSchema:
        return WriterSchema(json.dumps(AVRO))

    def id_of(self, schema: SchemaRef) -> int | None:
        return self._number


def avro_document() -> GatewayDocument:
    topic = DOCUMENT.topics[0].model_dump(mode="json", by_alias=True)
    topic["schema"] |= {"format": "Avro", "definition": AVRO}
    topic["columns"][2] = {"name": "amount", "type": {"kind": "DOUBLE"}, "required": True}
    enriched = [{"field": "user", "source": "Caller", "value": None, "lookup": None}]
    return GatewayDocument.model_validate(
        {**DOCUMENT.model_dump(by_alias=True), "topics": [{**topic, "ingest": {"scopes": ["w"], "enrich": enriched}}]}
    )


def test_what_the_gateway_refused_of_an_avro_topic_is_enriched_and_encoded_as_it_does() -> None:
    found = letter(b'{"id": "1", "amount": "much"}', stage="gateway", key=None)
    patch = [{"op": "replace", "path": "/amount", "value": 1.5}]
    outgoing = sent(prepare(found, patch, document=avro_document(), registry=OneSchema(7)))
    assert outgoing.value is not None
    assert outgoing.value[:5] == b"\0\0\0\0\x07"
    values = Values(avro_document(), OneSchema(7))
    assert values.read("shop.orders", outgoing.value) == {"id": "1", "user": "headrace dlq", "amount": 1.5}
    assert outgoing.key == b"headrace dlq"


def test_a_patch_works_on_the_json_form_of_an_avro_value_and_enriches_it_no_second_time() -> None:
    outgoing = sent(
        prepare(
            letter(b"\0\0\0\0\x07\x021\x06ann\0\0\0\0\0\0\0\0"),
            [{"op": "replace", "path": "/amount", "value": 2}],
            document=avro_document(),
            registry=OneSchema(7),
        )
    )
    values = Values(avro_document(), OneSchema(7))
    assert values.read("shop.orders", outgoing.value or b"") == {"id": "1", "user": "ann", "amount": 2.0}


def test_a_schema_that_the_registry_lacks_keeps_the_letter() -> None:
    found = letter(b'{"id": "1", "amount": 1}', stage="gateway", key=None)
    why = kept(prepare(found, document=avro_document(), registry=OneSchema(None)))
    assert why.startswith("the registry does not have the schema of orders")
