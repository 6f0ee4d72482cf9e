"""A manifest whose outputs have no schema yet, as a pipeline: what `headrace schema infer` starts from.

A job's output needs its schema to be valid, and inference is how one gets it. So an output without a definition gets
one that merely satisfies the checks; everything else of the manifest is checked as ever.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from headrace.core.manifest import Document, parse_yaml
from headrace.core.parse import parse_model
from headrace.core.pipeline import Pipeline
from headrace.core.problems import Problem
from headrace.core.validate import validate
from headrace.core.wire.pipeline import StreamPipeline


def load_for_inference(text: str | bytes, source: str = "") -> list[Pipeline] | list[Problem]:
    """Every pipeline of the text, outputs without a schema filled in; or every problem. Never raises."""
    pipelines: list[Pipeline] = []
    problems: list[Problem] = []
    for document in parse_yaml(text, source):
        if isinstance(document, Problem):
            problems.append(document)
        elif isinstance(document.value, dict) and document.value.get("kind") == "StreamPipeline":
            filled = replace(document, value=_filled(document))
            wire = parse_model(filled, StreamPipeline)
            found = wire if isinstance(wire, list) else validate(filled, wire)
            if isinstance(found, Pipeline):
                pipelines.append(found)
            else:
                problems += found
    return problems or pipelines


def _filled(document: Document) -> Any:
    spec = document.value.get("spec")
    if not isinstance(spec, dict) or not isinstance(spec.get("topics"), list) or not isinstance(spec.get("jobs"), list):
        return document.value
    outputs = {job.get("output") for job in spec["jobs"] if isinstance(job, dict)}
    topics = [
        {**topic, "schema": _placeholder(topic)} if _wants_schema(topic, outputs) else topic for topic in spec["topics"]
    ]
    return {**document.value, "spec": {**spec, "topics": topics}}


def _wants_schema(topic: Any, outputs: set[Any]) -> bool:
    if not isinstance(topic, dict) or topic.get("name") not in outputs:
        return False
    schema = topic.get("schema")
    return schema is None or (isinstance(schema, dict) and not schema.get("definition"))


def _placeholder(topic: dict[str, Any]) -> dict[str, Any]:
    """A JSON Schema with just the fields that the topic itself names."""
    keys = topic.get("keyFields")
    names = [name for name in keys if isinstance(name, str)] if isinstance(keys, list) else []
    properties: dict[str, Any] = {name: {"type": "string"} for name in [*names, "_placeholder"]}
    for section in ("id", "eventTime"):
        declared = topic.get(section)
        if isinstance(declared, dict) and isinstance(declared.get("field"), str):
            properties[declared["field"]] = {"type": "string"}
            if section == "eventTime":
                properties[declared["field"]] = {"type": "string", "format": "date-time"}
    required = [name for name in properties if name != "_placeholder"]
    definition = {"type": "object", "required": required, "properties": properties}
    return {"format": "JSON", "definition": json.dumps(definition)}
