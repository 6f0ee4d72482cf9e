"""The schema registry as decoders and the gateway's encoder need it: a schema by its id, and the id of a schema.

Through Confluent's API (`confluent_kafka.schema_registry`). What a registry said about an id does not change, so it is
kept for ever; "there is no such id" is kept for a while only. A registry that does not answer is RegistryAwayError and
says nothing about a record: whoever gets it waits, and asks again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from headrace.core.documents import SchemaRef
from headrace.core.schema import canonical, canonical_text

ANSWER_SECONDS = 5
UNKNOWN_SECONDS = 30.0
"""How long an unknown id stays so: a stream of bad records must not become a stream of requests."""
MAX_UNKNOWN = 10_000
MAX_REFERENCES = 100

_NO_SCHEMA, _NO_SUBJECT, _NO_VERSION = 40403, 40401, 40402
_CONFLUENT = {"JSON": "JSON", "Avro": "AVRO", "Protobuf": "PROTOBUF"}

T = TypeVar("T")


class RegistryAwayError(Exception):
    """The registry does not answer, or not as one: wait and ask again."""


class UnknownSchemaError(ValueError):
    """The registry has no such id, or not under this subject; the text goes on from "the value"."""


@dataclass(frozen=True, slots=True)
class WriterSchema:
    """A registered definition; `references` are the definitions that it names, each after those that it needs."""

    definition: str
    references: tuple[str, ...] = ()


class Registry(Protocol):
    """What a test brings its own of. Both may block, and raise RegistryAwayError."""

    def writer(self, subject: str, schema_id: int) -> WriterSchema:
        """The schema of that id, which must be one of the subject's. Raises UnknownSchemaError."""

    def id_of(self, schema: SchemaRef) -> int | None:
        """The id of exactly this schema under its subject; None when it is not registered there."""


class ConfluentRegistry:
    """A Registry at this URL. For any number of threads. `clock` gives seconds."""

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        # Retries are the caller's: it knows whether to wait or to answer 503.
        self._client = SchemaRegistryClient({"url": url, "timeout": ANSWER_SECONDS, "max.retries": 0})
        self._url = url
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[tuple[str, int], WriterSchema] = {}
        self._unknown: dict[tuple[str, int], tuple[float, str]] = {}

    def writer(self, subject: str, schema_id: int) -> WriterSchema:
        known = self._known.get((subject, schema_id))
        if known is not None:
            return known
        with self._lock:  # threads that meet the same new id ask once
            return self._known.get((subject, schema_id)) or self._learn(subject, schema_id)

    def id_of(self, schema: SchemaRef) -> int | None:
        definition = canonical(schema.definition)
        asked = Schema(definition, _CONFLUENT[schema.format])
        try:
            return _id(self._ask(lambda: self._client.lookup_schema(schema.subject, asked)).schema_id)
        except SchemaRegistryError as error:
            if error.error_code == _NO_SUBJECT:
                return None
        # Not under this text: a registry may have stored another spelling of the same schema.
        try:
            for version in self._ask(lambda: self._client.get_versions(schema.subject)):
                found = self._ask(lambda number=version: self._client.get_version(schema.subject, number))  # type: ignore[misc]
                if canonical_text(found.schema.schema_str or "") == definition:
                    return _id(found.schema_id)
        except SchemaRegistryError:
            pass
        return None

    def _learn(self, subject: str, schema_id: int) -> WriterSchema:
        key = (subject, schema_id)
        until, why = self._unknown.get(key, (0.0, ""))
        if self._clock() < until:
            raise UnknownSchemaError(why)
        try:
            versions = self._ask(lambda: self._client.get_schema_versions(schema_id, deleted=True))
            schema = self._ask(lambda: self._client.get_schema(schema_id))
            references = self._references(schema)
        except SchemaRegistryError:
            why = f"has the schema id {schema_id}, which the registry does not know"
            raise self._remember(key, why) from None
        subjects = {str(version.subject) for version in versions}
        if subject not in subjects:
            names = ", ".join(sorted(subjects)[:3]) or "no subject"
            raise self._remember(key, f"has the schema id {schema_id}, which is of {names}, not of {subject}")
        self._known[key] = found = WriterSchema(schema.schema_str or "", references)
        return found

    def _remember(self, key: tuple[str, int], why: str) -> UnknownSchemaError:
        if len(self._unknown) >= MAX_UNKNOWN:
            self._unknown.clear()
        self._unknown[key] = (self._clock() + UNKNOWN_SECONDS, why)
        return UnknownSchemaError(why)

    def _references(self, schema: Schema) -> tuple[str, ...]:
        found: dict[tuple[str, int], str] = {}

        def follow(of: Schema) -> None:
            for reference in of.references or ():
                key = (str(reference.subject), int(reference.version or 0))
                if key not in found and len(found) < MAX_REFERENCES:
                    # Two threads never run here at once, so the late binding of `key` is no trap.
                    version = self._ask(lambda: self._client.get_version(*key))  # noqa: B023
                    follow(version.schema)
                    found[key] = version.schema.schema_str or ""

        follow(schema)
        return tuple(found.values())

    def _ask(self, question: Callable[[], T]) -> T:
        """The answer, or the registry's own "there is no such": all else is that it is away."""
        try:
            return question()
        except SchemaRegistryError as error:
            # A 404 without one of these codes comes from something else that listens there.
            if error.error_code in (_NO_SCHEMA, _NO_SUBJECT, _NO_VERSION):
                raise
            raise RegistryAwayError(f"the schema registry at {self._url} answers HTTP {error}") from None
        except Exception as error:
            why = str(error) or type(error).__name__
            raise RegistryAwayError(f"the schema registry at {self._url} does not answer: {why}") from error


def _id(found: int | None) -> int:
    if found is None:
        raise RegistryAwayError("the schema registry gave an answer without an id")
    return found
