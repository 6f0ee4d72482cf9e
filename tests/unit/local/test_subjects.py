"""Subjects: what is registered is seen with its owner; a refusal is told with why and leaves the version alone."""

from __future__ import annotations

import json

import httpx
import pytest

from headrace.core.diff import Action, Step
from headrace.core.plan import Subject
from headrace.local.errors import PartError
from headrace.local.state import SubjectRecord
from headrace.local.subjects import Subjects

pytestmark = pytest.mark.anyio

WANTED = Subject("shop.orders-value", "JSON", "BACKWARD", '{"type":"object"}')


def registry(answers: dict[tuple[str, str], httpx.Response], asked: list[tuple[str, str]]) -> Subjects:
    def answer(request: httpx.Request) -> httpx.Response:
        key = (request.method, request.url.path.removeprefix("/apis/ccompat/v7"))
        asked.append(key)
        return answers.get(key, httpx.Response(404, json={"error_code": 40401, "message": "not found"}))

    return Subjects("http://registry.example/apis/ccompat/v7", httpx.MockTransport(answer))


async def test_the_compatibility_is_set_before_the_first_version() -> None:
    asked: list[tuple[str, str]] = []
    subjects = registry(
        {
            ("PUT", "/config/shop.orders-value"): httpx.Response(200, json={}),
            ("POST", "/subjects/shop.orders-value/versions"): httpx.Response(200, json={"id": 1}),
        },
        asked,
    )
    await subjects.apply(Step(Action.CREATE, WANTED.id, WANTED))
    assert asked == [("PUT", "/config/shop.orders-value"), ("POST", "/subjects/shop.orders-value/versions")]


async def test_a_registry_that_wants_the_schema_first_is_met() -> None:
    asked: list[tuple[str, str]] = []
    answers = {("POST", "/subjects/shop.orders-value/versions"): httpx.Response(200, json={"id": 1})}
    subjects = registry(answers, asked)
    with pytest.raises(PartError):  # this registry refuses the second time, too: then it is said
        await subjects.apply(Step(Action.CREATE, WANTED.id, WANTED))
    assert [method for method, _ in asked] == ["PUT", "POST", "PUT"]


async def test_an_incompatible_schema_is_told_with_why() -> None:
    answers = {
        ("PUT", "/config/shop.orders-value"): httpx.Response(200, json={}),
        ("POST", "/subjects/shop.orders-value/versions"): httpx.Response(
            409, json={"message": "type changed at /properties/amount"}
        ),
    }
    with pytest.raises(PartError) as caught:
        await registry(answers, []).apply(Step(Action.CHANGE, WANTED.id, WANTED))
    assert "shop.orders-value is not BACKWARD compatible" in caught.value.what
    assert "type changed at /properties/amount" in caught.value.what


async def test_what_is_registered_is_seen_with_its_owner() -> None:
    schema = json.dumps({"type": "object", "properties": {}}, indent=2)
    answers = {
        ("GET", "/subjects"): httpx.Response(200, json=["shop.orders-value", "other"]),
        ("GET", "/subjects/shop.orders-value/versions/latest"): httpx.Response(200, json={"schema": schema}),
        ("GET", "/config/shop.orders-value"): httpx.Response(200, json={"compatibilityLevel": "FULL"}),
        ("GET", "/subjects/other/versions/latest"): httpx.Response(200, json={"schema": "no json"}),
    }
    record = SubjectRecord(owner="shop", definition="{}", compatibility="FULL")
    seen = await registry(answers, []).observe({"shop.orders-value": record})
    mine, other = seen["shop.orders-value"], seen["other"]
    assert (mine.definition, mine.compatibility, mine.owner) == ('{"properties":{},"type":"object"}', "FULL", "shop")
    assert (other.definition, other.compatibility, other.owner) == ("no json\n", None, None)


async def test_a_version_that_another_writer_registered_after_ours_changes_nothing() -> None:
    answers = {
        ("GET", "/subjects"): httpx.Response(200, json=["shop.orders-value"]),
        ("GET", "/subjects/shop.orders-value/versions/latest"): httpx.Response(
            200, json={"schema": 'syntax = "proto3";\n\nmessage A { string a = 1; }', "schemaType": "PROTOBUF"}
        ),
        ("POST", "/subjects/shop.orders-value"): httpx.Response(200, json={"version": 1}),
    }
    ours = 'syntax = "proto3";\nmessage A { string a = 1; }\n'
    record = SubjectRecord(owner="shop", definition=ours, compatibility="FULL")
    seen = await registry(answers, []).observe({"shop.orders-value": record})
    assert seen["shop.orders-value"].definition == ours


async def test_a_registry_that_is_away_may_come_back() -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(OSError, match="does not answer"):
        await Subjects("http://registry.example", httpx.MockTransport(refuse)).observe({})
