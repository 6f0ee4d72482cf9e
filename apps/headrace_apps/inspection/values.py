"""A record's value and key as JSON, by the topic's format: what `tail`, `explain` and `dlq` show and select by."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from headrace.core.documents import GatewayDocument, GatewayTopic, SchemaRef
from headrace.core.keys import is_plain
from headrace_apps.inspection.records import Record
from headrace_apps.inspection.scan import UnreadableError
from headrace_apps.records.decoder import Decoder, JsonDecoder, decoder_of
from headrace_apps.records.outcome import Refused
from headrace_apps.records.registry import ConfluentRegistry, Registry, RegistryAwayError


class UndecodableError(ValueError):
    """The bytes are no value of the topic; the message says why."""


class Values:
    """Of one pipeline, by Kafka topic; a topic that it does not know is read as JSON. `registry` is for tests."""

    def __init__(self, document: GatewayDocument, registry: Registry | None = None) -> None:
        self.topics: Mapping[str, GatewayTopic] = {topic.kafka_topic: topic for topic in document.topics}
        if registry is None and document.registry is not None:
            registry = ConfluentRegistry(document.registry.url)
        self._registry = registry
        self._decoders: dict[str, Decoder] = {}

    def value(self, record: Record) -> Any:
        """The value's JSON form; None for a tombstone. Raises UndecodableError, and UnreadableError as `read`."""
        return None if record.value is None else self.read(record.topic, record.value)

    def read(self, kafka_topic: str, value: bytes) -> Any:
        """Bytes of a topic as JSON. Raises UndecodableError, or UnreadableError when the registry is away."""
        decoder = self._decoders.get(kafka_topic) or self._decoder(kafka_topic)
        try:
            text = decoder.text(value)
        except RegistryAwayError as error:
            raise UnreadableError(f"values of {kafka_topic} need the registry: {error}") from error
        if isinstance(text, Refused):
            raise UndecodableError(text.error)
        return read_json(text)

    def schema_id(self, schema: SchemaRef) -> int | None:
        """The registry's id of a topic's schema; None without one. Raises UnreadableError when the registry is away."""
        try:
            return self._registry.id_of(schema) if self._registry is not None else None
        except RegistryAwayError as error:
            raise UnreadableError(f"the id of {schema.subject} is the registry's to tell: {error}") from error

    def _decoder(self, kafka_topic: str) -> Decoder:
        topic = self.topics.get(kafka_topic)
        made = decoder_of(topic.schema_, topic.columns, self._registry) if topic else JsonDecoder(())
        self._decoders[kafka_topic] = made
        return made

    def key(self, record: Record) -> Any:
        """A plain key as text, a composite one as its object, anything else as text with U+FFFD for bad bytes."""
        if record.key is None:
            return None
        topic = self.topics.get(record.topic)
        columns = {column.name: column for column in topic.columns} if topic else {}
        key_columns = [columns[name] for name in topic.key_fields if name in columns] if topic else []
        if key_columns and not is_plain(key_columns):
            try:
                return read_json(record.key)
            except UndecodableError:
                pass
        return record.key.decode("utf-8", "replace")


def read_json(raw: bytes) -> Any:
    """Any JSON value. Raises UndecodableError."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise UndecodableError(f"is no JSON: {error}") from error
