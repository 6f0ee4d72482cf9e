"""What is kept of a registry's answers, and which answers are none. The real one is in tests/integration/gateway."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from confluent_kafka.schema_registry import RegisteredSchema, Schema, SchemaReference
from confluent_kafka.schema_registry.error import SchemaRegistryError

from headrace.core.columns import BIGINT, STRING, Column
from headrace.core.documents import SchemaRef
from headrace_apps.records import registry as module
from headrace_apps.records.decoder import JsonDecoder
from headrace_apps.records.outcome import Refused, Row
from headrace_apps.records.registry import ConfluentRegistry, RegistryAwayError, UnknownSchemaError
from headrace_apps.records.wire import parse_indexes, render_indexes, render_prefix

from .paper_registry import SUBJECT, PaperRegistry

AVRO = {"type": "record", "name": "R", "fields": [{"name": "f", "type": "int"}]}


@dataclass
class Version:
    subject: str


@dataclass
class PaperClient:
    """Confluent's client with one schema, 5, of SUBJECT; `failure` is raised by all that is asked."""

    asked: list[str] = field(default_factory=list)
    failure: Exception | None = None
    definition: str = json.dumps(AVRO, indent=1)

    def _note(self, what: str, known: bool, code: int) -> None:
        self.asked.append(what)
        if self.failure is not None:
            raise self.failure
        if not known:
            raise SchemaRegistryError(404, code, "not found")

    def get_schema_versions(self, schema_id: int, deleted: bool) -> list[Version]:
        self._note(f"versions of {schema_id}", schema_id == 5, 40403)
        return [Version(SUBJECT)]

    def get_schema(self, schema_id: int) -> Schema:
        self._note(f"schema {schema_id}", schema_id == 5, 40403)
        return Schema(self.definition, "AVRO", [SchemaReference("X", "x", 1), SchemaReference("Y", "y", 2)])

    def get_version(self, subject: str, version: int) -> RegisteredSchema:
        self._note(f"{subject} {version}", True, 40402)
        inner = [SchemaReference("Y", "y", 2)] if subject == "x" else []
        text = self.definition if subject == SUBJECT else f'"{subject}"'
        schema = Schema(text, "AVRO", inner)
        return RegisteredSchema(schema_id=5, guid=None, subject=subject, version=version, schema=schema)

    def get_versions(self, subject: str) -> list[int]:
        self._note(f"versions of {subject}", subject == SUBJECT, 40401)
        return [1]

    def lookup_schema(self, subject: str, schema: Schema) -> RegisteredSchema:
        self._note(f"lookup in {subject}", False, 40403 if subject == SUBJECT else 40401)
        raise AssertionError


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> PaperClient:
    client = PaperClient()
    monkeypatch.setattr(module, "SchemaRegistryClient", lambda _: client)
    return client


def test_a_schema_is_asked_for_once_with_what_it_refers_to(client: PaperClient) -> None:
    registry = ConfluentRegistry("http://r")
    for _ in range(2):
        assert registry.writer(SUBJECT, 5).references == ('"y"', '"x"')  # each after those that it needs
    assert len(client.asked) == 4


def test_an_unknown_id_stays_so_for_a_while(client: PaperClient) -> None:
    clock = Clock()
    registry = ConfluentRegistry("http://r", clock)
    for _ in range(3):
        with pytest.raises(UnknownSchemaError, match="has the schema id 6, which the registry does not know"):
            registry.writer(SUBJECT, 6)
    with pytest.raises(UnknownSchemaError, match=f"has the schema id 5, which is of {SUBJECT}, not of other"):
        registry.writer("other", 5)
    assert client.asked.count("versions of 6") == 1
    clock.now = module.UNKNOWN_SECONDS
    with pytest.raises(UnknownSchemaError):
        registry.writer(SUBJECT, 6)
    assert client.asked.count("versions of 6") == 2


@pytest.mark.parametrize(
    "failure",
    [
        OSError("refused"),
        SchemaRegistryError(500, 50001, "broken"),
        SchemaRegistryError(401, 40101, "who are you"),
        SchemaRegistryError(404, -1, "another server's page"),
    ],
)
def test_what_is_no_answer_says_nothing_about_an_id(client: PaperClient, failure: Exception) -> None:
    registry = ConfluentRegistry("http://r")
    client.failure = failure
    ref = SchemaRef(format="Avro", subject=SUBJECT, identity="i", definition=AVRO)
    for ask in (lambda: registry.writer(SUBJECT, 5), lambda: registry.id_of(ref)):
        with pytest.raises(RegistryAwayError, match="the schema registry at http://r"):
            ask()
    client.failure = None
    assert registry.writer(SUBJECT, 5).definition == client.definition


def test_the_id_is_found_under_another_spelling_of_the_schema(client: PaperClient) -> None:
    registry = ConfluentRegistry("http://r")
    ref = SchemaRef(format="Avro", subject=SUBJECT, identity="i", definition=AVRO)
    assert registry.id_of(ref) == 5
    client.definition = json.dumps({**AVRO, "name": "Other"})
    assert registry.id_of(ref) is None
    assert registry.id_of(ref.model_copy(update={"subject": "unknown"})) is None


@pytest.mark.parametrize("indexes", [(0,), (1,), (0, 0), (63, 64, 8191, 8192)])
def test_message_indexes_are_zig_zag_varints(indexes: tuple[int, ...]) -> None:
    rendered = render_indexes(indexes)
    assert parse_indexes(b"....." + rendered + b"rest", 5) == (indexes, 5 + len(rendered))
    assert (len(rendered) == 1) == (indexes == (0,))
    assert parse_indexes(b"\x02\x00", 0) == ((0,), 2)  # the long way to say the first


def test_json_behind_the_prefix_is_json() -> None:
    columns = [Column(name="f", type=STRING, required=True), Column(name="n", type=BIGINT)]
    registry = PaperRegistry()
    value = render_prefix(registry.add("{}")) + b'{"f":"a"}'
    decoder = JsonDecoder(columns, SUBJECT, registry)
    assert decoder.row(value) == Row({"f": "a", "n": None})
    assert decoder.form(value) == {"f": "a"}
    assert decoder.text(value) == b'{"f":"a"}'
    foreign: Any = render_prefix(registry.add("{}", subject="other")) + b"{}"
    for decoded in (decoder.row(foreign), decoder.form(foreign), decoder.text(foreign)):
        assert decoded == Refused(f"the value has the schema id 2, which is of other, not of {SUBJECT}")
    assert JsonDecoder(columns).row(value) == Refused(
        "the value has a schema id before it, and no registry is declared to look it up in"
    )
