"""What the gateway opens: ingest and views."""

from __future__ import annotations

from collections.abc import Mapping

from headrace.core.pipeline import Ingest, Topic, View
from headrace.core.validate import enrichment
from headrace.core.validate.findings import Findings
from headrace.core.wire.pipeline import StreamPipeline


def resolve_ingest(wire: StreamPipeline, topics: Mapping[str, Topic], found: Findings) -> tuple[Ingest, ...]:
    resolved = []
    for index, entry in enumerate(wire.spec.ingest):
        path = ("spec", "ingest", index, "topic")
        if found.has(path, entry.topic, topics, "declared topic") and topics[entry.topic].external:
            found.add(path, f"{entry.topic!r} is external: Headrace reads it and never writes to it")
        scopes = tuple(entry.auth.scopes) or (f"{wire.metadata.name}.{entry.topic}:write",)
        enrich = enrichment.resolve(entry, ("spec", "ingest", index), topics, found)
        resolved.append(Ingest(entry.topic, scopes, entry.on_invalid, enrich))
    return tuple(resolved)


def resolve_views(wire: StreamPipeline, topics: Mapping[str, Topic], found: Findings) -> tuple[View, ...]:
    for index, view in enumerate(wire.spec.views):
        path = ("spec", "views", index, "topic")
        if found.has(path, view.topic, topics, "declared topic") and not topics[view.topic].compacted:
            found.add(
                path,
                f"{view.topic!r} is not compacted, and a view shows the newest event per key",
                "set cleanupPolicy: [compact] and keyFields on the topic",
            )
    return tuple(View(view.name, view.topic) for view in wire.spec.views)
