"""The JSON Schema of a manifest, from the models that read it: for editors. Its copy is in docs/reference."""

from __future__ import annotations

import json
from typing import Any

from headrace.core.wire.common import API_VERSION
from headrace.core.wire.pipeline import StreamPipeline

TITLE = "StreamPipeline of Headrace"


def render_manifest_schema() -> str:
    """Draft 2020-12, as text. Titles that pydantic makes of field names are left out: an editor shows descriptions."""
    schema = StreamPipeline.model_json_schema(by_alias=True)
    described = {"$schema": "https://json-schema.org/draft/2020-12/schema", **_without_titles(schema), "title": TITLE}
    described["description"] = f"One streaming pipeline ({API_VERSION}): topics, ingestion, jobs, views and sinks."
    return json.dumps(described, indent=2) + "\n"


def _without_titles(node: Any) -> Any:
    if isinstance(node, dict):
        # A property may be called `title`; a title that pydantic made is a text beside a type.
        return {
            name: _without_titles(child)
            for name, child in node.items()
            if not (name == "title" and isinstance(child, str))
        }
    return [_without_titles(child) for child in node] if isinstance(node, list) else node
