"""Records as another maker writes and reads them: confluent-kafka's serializers, which are no part of Headrace.

The outside producers and the check use them, so that both ends of a pipeline meet bytes that are not ours. Events are
in the form that the HTTP API takes (times as RFC 3339).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka.schema_registry import RegisteredSchema, SchemaRegistryClient, topic_subject_name_strategy
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf.json_format import ParseDict

from headrace_apps.demo.moments import epoch_ms
from headrace_apps.demo.protobuf import fields_of, message_class
from headrace_apps.demo.sample import Manifest, Topic

Event = Mapping[str, Any]
Encode = Callable[[Event], bytes]
Decode = Callable[[bytes], dict[str, Any]]

# The schema is the pipeline's: a writer takes what the registry has and registers nothing.
READY_MADE = {"auto.register.schemas": False, "use.latest.version": True}
LOOKED_UP = {"auto.register.schemas": False}


class UndecodableError(Exception):
    """Bytes that are no record of the topic."""


class LookedUpByName(SchemaRegistryClient):
    """The Protobuf serializer asks for the id of its own spelling of the schema, a descriptor. The registry has the
    file's text and cannot tell that they are the same; so the newest of the subject is the answer."""

    def lookup_schema(self, subject_name: str, *_: Any, **__: Any) -> RegisteredSchema:
        return self.get_latest_version(subject_name)


class Wire:
    """Encodes and decodes the values of a pipeline's topics. `registry`: the URL of its Confluent API."""

    def __init__(self, manifest: Manifest, registry: str | None) -> None:
        self._manifest = manifest
        # A time limit, or one answer that is lost keeps the writer waiting for ever.
        self._client = LookedUpByName({"url": registry, "timeout": 10}) if registry else None
        self._encoders: dict[str, Encode] = {}
        self._decoders: dict[str, Decode] = {}

    def encode(self, topic: str, event: Event) -> bytes:
        """The value in the topic's format; asks the registry for the schema's id once."""
        if topic not in self._encoders:
            self._encoders[topic] = self._encoder(self._manifest.topics[topic])
        return self._encoders[topic](event)

    def decode(self, topic: str, value: bytes | None) -> dict[str, Any]:
        """The fields, times as datetime or RFC 3339. Raises UndecodableError."""
        if topic not in self._decoders:
            self._decoders[topic] = self._decoder(self._manifest.topics[topic])
        try:
            row = self._decoders[topic](value or b"")
        except Exception as error:  # each library has its own
            raise UndecodableError(str(error)) from error
        if not isinstance(row, dict):
            raise UndecodableError(f"not an object: {value!r}")
        return row

    def schema_id(self, topic: str) -> int:
        """The id of the newest schema of the topic's subject."""
        assert self._client is not None  # noqa: S101 - JSON alone has no registry, and no ids
        return int(self._client.get_latest_version(f"{self._manifest.kafka(topic)}-value").schema_id or 0)

    def _encoder(self, topic: Topic) -> Encode:
        context = SerializationContext(topic.kafka, MessageField.VALUE)
        named = {"subject.name.strategy": topic_subject_name_strategy}
        match topic.format:
            case "Avro":
                avro = AvroSerializer(self._client, conf=READY_MADE | named)
                return lambda event: bytes(avro(_with_epoch(event, topic), context) or b"")
            case "Protobuf":
                made = message_class(topic.definition, topic.message)
                protobuf = ProtobufSerializer(made, self._client, LOOKED_UP | named)
                return lambda event: bytes(protobuf(ParseDict(dict(event), made()), context) or b"")
            case _:
                return lambda event: json.dumps(event, separators=(",", ":")).encode()

    def _decoder(self, topic: Topic) -> Decode:
        context = SerializationContext(topic.kafka, MessageField.VALUE)
        options = {"subject.name.strategy": topic_subject_name_strategy}
        match topic.format:
            case "Avro":
                avro = AvroDeserializer(self._client, conf=options)
                return lambda value: avro(value, context)
            case "Protobuf":
                made = message_class(topic.definition, topic.message)
                # Without the registry: whose file a record was written by is told by its numbers alone.
                protobuf = ProtobufDeserializer(made, options)
                return lambda value: fields_of(protobuf(value, context))
            case _:
                return json.loads


def _with_epoch(event: Event, topic: Topic) -> dict[str, Any]:
    """Avro's timestamp-millis is written from epoch milliseconds."""
    field = topic.time_field
    return dict(event) | {field: epoch_ms(event[field])} if field else dict(event)
