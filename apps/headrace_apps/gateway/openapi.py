"""The OpenAPI page of one gateway: a path per declared topic and view, with the topic's schema and examples.

Written by hand instead of by FastAPI: its generator knows neither the topics nor what a batch may answer. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headrace.core.documents import GatewayDocument, GatewayTopic, GatewayView
from headrace_apps.gateway.examples import example_of
from headrace_apps.gateway.openapi_schemas import SCHEMAS
from headrace_apps.gateway.problems import MEDIA_TYPE
from headrace_apps.gateway.validation import needed_fields
from headrace_apps.records.encoder import encoder_of

Json = dict[str, Any]

_STORED = {
    "JSON": "Each event's own bytes are stored, with the members that the gateway adds.",
    "Avro": "Events come in JSON and are stored in Avro, in the registry's wire format.",
    "Protobuf": "Events come in JSON and are stored in Protobuf, in the registry's wire format.",
}

_POST_PROBLEMS = {
    400: "The body holds no events, or is not JSON as a whole; nothing was stored.",
    413: "The body or the batch is too large; nothing was stored.",
    415: "The media type or content encoding is not one of those listed; nothing was stored.",
    422: "Every event was refused; `results` has the reasons per event.",
    429: "The gateway is at capacity; nothing was stored. Retry after `Retry-After` seconds.",
    503: "Kafka did not acknowledge every event; `results` has the outcome per event. Retrying the failed ones with "
    "the same ids is safe. Or the gateway is not ready (the schema's id, a lookup), and nothing was stored.",
}


def openapi_of(document: GatewayDocument) -> Json:
    """OpenAPI 3.1, whose schemas are JSON Schema 2020-12, as the topics' are."""
    paths: Json = {}
    for topic in document.topics:
        operations: Json = {"get": _read(topic, document)}
        if topic.ingest is not None:
            operations["post"] = _ingest(topic, document)
        paths[f"/v1/topics/{topic.name}/events"] = operations
    for view in document.views:
        paths[f"/v1/views/{view.name}"] = {"get": _view_list(view, document), "post": _view_many(view, document)}
        paths[f"/v1/views/{view.name}/{{key}}"] = {"get": _view_entry(view, document)}
    paths["/healthz"] = {"get": _plain("The process lives", {200: "It does."})}
    paths["/readyz"] = {
        "get": _plain("Broker, topics and views are ready", {200: "All are.", 503: "`faults` says which are not."})
    }
    paths["/metrics"] = {"get": _plain("Prometheus metrics", {200: "Text format."})}
    components: Json = {"schemas": SCHEMAS}
    if document.auth.enabled:
        components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": f"{document.pipeline}: events and views", "version": "v1"},
        "paths": paths,
        "components": components,
    }


def _ingest(topic: GatewayTopic, document: GatewayDocument) -> Json:
    assert topic.ingest is not None  # noqa: S101 - the caller looked
    definition = event_schema(topic)
    one = example_of(definition, definition)
    accepted = {"index": 0, "status": "accepted", "partition": 2, "offset": 17}
    refused = {"index": 1, "status": "refused", "errors": [_ERROR]}
    examples = {
        "one event": {"value": _outcome(topic.name, [accepted])},
        "a batch, one refused": {"value": _outcome(topic.name, [accepted, refused])},
    }
    responses: Json = {
        "200": _json("At least one event is stored on all in-sync replicas.", "Outcome", examples),
        **{str(status): _problem(text) for status, text in _POST_PROBLEMS.items()},
        **_auth_problems(document),
    }
    if topic.ingest.on_invalid == "DeadLetter":
        text = "Valid events are stored; invalid ones are in the dead-letter topic."
        dead = {"index": 0, "status": "dead_lettered", "errors": [_ERROR]}
        responses["202"] = _json(text, "Outcome", {"dead-lettered": {"value": _outcome(topic.name, [dead])}})
    return {
        "summary": f"Send events to {topic.name}",
        "description": "One object, an array, or NDJSON; optionally with Content-Encoding gzip or zstd. Answered "
        "after the broker's acknowledgement. " + _STORED[topic.schema_.format if topic.schema_ is not None else "JSON"],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"anyOf": [definition, {"type": "array", "minItems": 1, "items": definition}]},
                    "examples": {"one event": {"value": one}, "a batch": {"value": [one, one]}},
                },
                "application/x-ndjson": {"schema": {"type": "string", "description": "One event per line."}},
            },
        },
        "responses": responses,
        **_security(document, topic.ingest.scopes),
    }


def event_schema(topic: GatewayTopic) -> Json:
    """The JSON Schema of an event over HTTP: the topic's own, or that of the JSON form of its Avro or Protobuf."""
    encoder = encoder_of(topic.schema_, topic.columns, needed_fields(topic))
    if encoder is not None:
        return encoder.form_schema
    definition = topic.schema_.definition if topic.schema_ is not None else None
    return definition if isinstance(definition, dict) else {"type": "object"}


def _read(topic: GatewayTopic, document: GatewayDocument) -> Json:
    integer, text = {"type": "integer", "minimum": 0}, {"type": "string"}
    edge = {"type": "string", "enum": ["earliest", "latest"]}
    return {
        "summary": f"Read stored events of {topic.name}",
        "description": "A page from one of cursor, from, timestamp, or partition with offset (default: from the "
        "earliest). With Accept: text/event-stream, every event from there on (default: from the latest), each with "
        "the cursor after it as its id; Last-Event-ID resumes. A stream ends with its token. "
        "Only committed events are read.",
        "parameters": [
            _query("partition", integer, "Read this partition only."),
            _query("offset", integer, "Begin there; needs partition."),
            _query("timestamp", text, "Begin with the first event at or after it: RFC 3339 or epoch milliseconds."),
            _query("from", edge, "Begin at the first event, or with the next that comes."),
            _query("cursor", text, "Go on where an earlier answer's `next` says."),
            _query(
                "limit", {"type": "integer", "minimum": 1, "default": 100}, "At most 1000 are given, or about 8 MB."
            ),
            _query("wait", {"type": "number", "minimum": 0, "default": 0}, "Seconds to wait for the first; up to 30."),
        ],
        "responses": {
            "200": {
                "description": "The events, and the cursor for what follows them.",
                "content": {
                    "application/json": {
                        "schema": {"$ref": "#/components/schemas/Page"},
                        "examples": {"one event": {"value": _page(topic)}},
                    },
                    "text/event-stream": {"schema": text},
                },
            },
            "422": _problem("A parameter is wrong, or the offset is beyond the end."),
            "503": _problem("Kafka does not answer, or all readers are in use."),
            **_auth_problems(document),
        },
        **_security(document, topic.read_scopes),
    }


_MIN_OFFSETS: Json = {
    "name": "Headrace-Min-Offsets",
    "in": "header",
    "schema": {"type": "string"},
    "description": "`Headrace-Offsets` of an earlier answer (`0:123,1:456`): this one is not older. An event that was "
    "answered with partition and offset is covered by `partition:offset+1`.",
    "example": "0:123,1:456",
}
_OFFSETS: Json = {
    "Headrace-Offsets": {
        "schema": {"type": "string"},
        "description": "The next offset to read per partition: exactly what lies before is in the answer.",
    }
}


def _page(topic: GatewayTopic) -> Json:
    definition = event_schema(topic)
    value = example_of(definition, definition)
    event = {"partition": 2, "offset": 17, "timestamp": "2026-11-22T19:01:00.123Z", "value": value}
    return {"events": [event], "next": "2-18"}


def _view_list(view: GatewayView, document: GatewayDocument) -> Json:
    fields = ", ".join(document.topic(view.topic).key_fields)
    text: Json = {"type": "string"}
    prefix = _query("prefix", {"type": "array", "items": text}, f"Values of leading key fields ({fields}), one each.")
    return {
        "summary": f"The entries of {view.name} in the order of their keys",
        "description": "Field by field: numbers by size, times by time, text by its UTF-8 bytes. Send the same "
        "parameters with the cursor.",
        "parameters": [
            {**prefix, "explode": True},
            _query("from", text, "Only values of the key field after `prefix` that are this or greater."),
            _query("to", text, "Only values of that field that are less than this."),
            _query(
                "limit", {"type": "integer", "minimum": 1, "default": 100}, "At most 1000 are given, or about 8 MB."
            ),
            _query("cursor", text, "Go on where an earlier answer's `next` says."),
            _MIN_OFFSETS,
        ],
        "responses": {
            "200": _found("Entries, offsets read per partition, age in milliseconds, and `next`."),
            "422": _problem("A parameter does not fit the key fields."),
            **_view_problems(document),
        },
        **_security(document, view.scopes),
    }


def _view_many(view: GatewayView, document: GatewayDocument) -> Json:
    topic = document.topic(view.topic)
    one = {"oneOf": [{"type": "string"}, {"type": "object", "required": list(topic.key_fields)}]}
    keys = {"type": "array", "minItems": 1, "maxItems": 1000, "items": one}
    schema = {"type": "object", "required": ["keys"], "properties": {"keys": keys}}
    return {
        "summary": f"Many entries of {view.name} at once",
        "description": "Each key as it stands in a URL, or as an object of the key fields.",
        "parameters": [_MIN_OFFSETS],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {
            "200": _found("`entries` in the order of `keys`, null where there is none, all as of the same offsets."),
            "422": _problem("A key is not one of this view."),
            **_view_problems(document),
        },
        **_security(document, view.scopes),
    }


def _view_entry(view: GatewayView, document: GatewayDocument) -> Json:
    fields = ", ".join(document.topic(view.topic).key_fields)
    where = f"The key fields ({fields}) in this order, each percent-encoded, joined by commas."
    key = {"name": "key", "in": "path", "required": True, "schema": {"type": "string"}, "description": where}
    return {
        "summary": f"One entry of {view.name}",
        "parameters": [key, _MIN_OFFSETS],
        "responses": {
            "200": _found("The latest value under the key."),
            "404": _problem("There is nothing under this key."),
            "422": _problem("The text is not a key of this view."),
            **_view_problems(document),
        },
        **_security(document, view.scopes),
    }


def _found(description: str) -> Json:
    return {"description": description, "headers": _OFFSETS}


def _view_problems(document: GatewayDocument) -> Json:
    behind = "The view is being restored, or has not yet read what `Headrace-Min-Offsets` asks for: retry."
    return {"503": _problem(behind), **_auth_problems(document)}


def _plain(summary: str, responses: Mapping[int, str]) -> Json:
    return {"summary": summary, "responses": {str(s): {"description": text} for s, text in responses.items()}}


def _query(name: str, schema: Json, description: str) -> Json:
    return {"name": name, "in": "query", "schema": schema, "description": description}


def _json(description: str, schema: str, examples: Json) -> Json:
    content = {"schema": {"$ref": f"#/components/schemas/{schema}"}, "examples": examples}
    return {"description": description, "content": {"application/json": content}}


def _problem(description: str) -> Json:
    return {
        "description": description,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def _auth_problems(document: GatewayDocument) -> Json:
    if not document.auth.enabled:
        return {}
    return {"401": _problem("No valid token."), "403": _problem("The token lacks a scope.")}


def _security(document: GatewayDocument, scopes: tuple[str, ...]) -> Json:
    return {"security": [{"bearer": list(scopes)}]} if document.auth.enabled else {}


def _outcome(topic: str, results: list[Json]) -> Json:
    def count(status: str) -> int:
        return sum(result["status"] == status for result in results)

    return {
        "topic": topic,
        "accepted": count("accepted"),
        "refused": count("refused"),
        "deadLettered": count("dead_lettered"),
        "failed": count("failed"),
        "results": results,
    }


_ERROR = {"pointer": "/occurred_at", "message": '"yesterday" is not a "date-time"'}
