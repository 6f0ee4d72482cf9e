"""The files of a new pipeline, as text: a manifest that says what each line does, and fixtures that pass. Pure.

A user edits what is written here, so it is small, and everything in it is used.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from textwrap import indent
from typing import Literal

Format = Literal["JSON", "Avro", "Protobuf"]
FORMATS: tuple[Format, ...] = ("JSON", "Avro", "Protobuf")
NAME = r"[a-z]([a-z0-9_]{0,38}[a-z0-9])?"
SCHEMA_FILE = "streampipeline.schema.json"
RESERVED = frozenset({"event_id", "occurred_at", "amount", "events", "total", "window_start", "window_end"})


@dataclass(frozen=True)
class Starter:
    """`key` is the field by which events are ordered and counted; `counts` asks for a job and a view."""

    name: str
    topic: str = "events"
    format: Format = "JSON"
    key: str = "user_id"
    counts: bool = True

    def faults(self) -> list[str]:
        """What is wrong with the answers; a manifest of answers without a fault is valid."""
        found = []
        if not re.fullmatch(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?", self.name):
            found.append(f"the name {self.name!r}: use lower-case letters, digits and -, at most 40")
        if not re.fullmatch(NAME, self.topic) or self.topic in ("counts", "dead_letters"):
            found.append(f"the topic {self.topic!r}: use lower-case letters, digits and _, and not `counts`")
        if not re.fullmatch(NAME, self.key) or self.key in RESERVED:
            found.append(
                f"the key {self.key!r}: use lower-case letters, digits and _, and none of the starter's fields"
            )
        return found

    def files(self) -> dict[str, str]:
        """Text by path within the new folder."""
        files = {"pipeline.yaml": self._manifest()}
        if self.counts:
            files["tests/counts.yaml"] = self._fixtures()
        return files

    def _manifest(self) -> str:
        table = f"{self.name.replace('-', '_').upper()}.{self.topic.upper()}"
        parts = [
            HEAD.format(schema=SCHEMA_FILE, name=self.name),
            INPUT.format(
                name=self.name, topic=self.topic, key=self.key, format=self.format, definition=_block(self._event())
            ),
        ]
        if self.counts:
            parts.append(COUNTS.format(key=self.key, format=self.format, definition=_block(self._count())))
        parts.append(INGEST.format(topic=self.topic))
        if self.counts:
            parts.append(JOB.format(name=self.name, topic=self.topic, key=self.key))
        return "\n".join([*parts, SINK.format(topic=self.topic, table=table, sink=self.topic.replace("_", "-"))])

    def _event(self) -> str:
        return EVENT[self.format].format(key=self.key)

    def _count(self) -> str:
        return COUNT[self.format].format(key=self.key)

    def _fixtures(self) -> str:
        return FIXTURES.format(topic=self.topic, key=self.key)


def _block(text: str) -> str:
    return indent(text.strip("\n"), " " * 10)


HEAD = """\
# yaml-language-server: $schema={schema}
apiVersion: headrace.dev/v1alpha1
kind: StreamPipeline
metadata:
  name: {name}
spec:
  topics:"""

INPUT = """\
    - name: {topic}                       # in Kafka: {name}.{topic}; in SQL: {topic}
      partitions: 3
      keyFields: [{key}]                  # events of one {key} stay in order
      id: {{field: event_id, window: 1h}}   # an event that comes again with this id within 1 h is the same event
      eventTime: {{field: occurred_at, outOfOrderness: 2s, idleTimeout: 5s}}   # how long a window waits for stragglers
      retention: 7d
      schema:
        format: {format}
        compatibility: BACKWARD           # a new version must read what is stored; `headrace schema check` tells
        definition: |
{definition}
"""

COUNTS = """\
    - name: counts                        # the newest figures per {key} and window
      keyFields: [{key}, window_start]
      cleanupPolicy: [compact, delete]
      retention: 7d
      schema:
        format: {format}
        definition: |
{definition}
"""

INGEST = """\
  ingest:                                 # POST /v1/topics/{topic}/events, or `headrace send {topic}`
    - topic: {topic}
      onInvalid: Reject                   # or DeadLetter: taken, and kept aside with why
"""

JOB = """\
  jobs:                                   # Flink SQL over the topics above
    - name: counts
      inputs: [{topic}]
      output: counts
      guarantee: ExactlyOnce
      late: DeadLetter                    # an event whose window has closed goes to {name}.dead-letters
      sql: |
        SELECT `{key}`, window_start, window_end, COUNT(*) AS `events`, SUM(amount) AS `total`
        FROM TABLE(TUMBLE(TABLE `{topic}`, DESCRIPTOR(occurred_at), INTERVAL '10' SECOND))
        GROUP BY `{key}`, window_start, window_end

  views:                                  # GET /v1/views/counts
    - {{name: counts, topic: counts}}
"""

SINK = """\
  sinks:                                  # every event once, in a table (here: in Snowflake's stand-in)
    - name: {sink}-table
      topic: {topic}
      snowflake: {{table: {table}}}
"""

EVENT: dict[Format, str] = {
    # Closed, so that a field can be added later: in an open object, old events may hold it as anything.
    "JSON": """
{{"type": "object", "additionalProperties": false,
 "required": ["event_id", "{key}", "occurred_at", "amount"],
 "properties": {{
   "event_id":    {{"type": "string", "minLength": 1}},
   "{key}": {{"type": "string", "minLength": 1}},
   "occurred_at": {{"type": "string", "format": "date-time"}},
   "amount":      {{"type": "number"}}}}}}
""",
    "Avro": """
{{"type": "record", "name": "Event", "namespace": "headrace.starter", "fields": [
  {{"name": "event_id",    "type": "string"}},
  {{"name": "{key}", "type": "string"}},
  {{"name": "occurred_at", "type": {{"type": "long", "logicalType": "timestamp-millis"}}}},
  {{"name": "amount",      "type": "double"}}]}}
""",
    "Protobuf": """
syntax = "proto3";
package headrace.starter;
import "google/protobuf/timestamp.proto";
message Event {{
  string event_id = 1;
  string {key} = 2;
  google.protobuf.Timestamp occurred_at = 3;
  double amount = 4;
}}
""",
}

COUNT: dict[Format, str] = {
    "JSON": """
{{"type": "object", "additionalProperties": false,
 "required": ["{key}", "window_start", "window_end", "events", "total"],
 "properties": {{
   "{key}": {{"type": "string"}},
   "window_start": {{"type": "string", "format": "date-time"}},
   "window_end":   {{"type": "string", "format": "date-time"}},
   "events":       {{"type": "integer"}},
   "total":        {{"type": "number"}}}}}}
""",
    "Avro": """
{{"type": "record", "name": "Count", "namespace": "headrace.starter", "fields": [
  {{"name": "{key}", "type": "string"}},
  {{"name": "window_start", "type": {{"type": "long", "logicalType": "timestamp-millis"}}}},
  {{"name": "window_end",   "type": {{"type": "long", "logicalType": "timestamp-millis"}}}},
  {{"name": "events",       "type": "long"}},
  {{"name": "total",        "type": "double"}}]}}
""",
    "Protobuf": """
syntax = "proto3";
package headrace.starter;
import "google/protobuf/timestamp.proto";
message Count {{
  string {key} = 1;
  google.protobuf.Timestamp window_start = 2;
  google.protobuf.Timestamp window_end = 3;
  int64 events = 4;
  double total = 5;
}}
""",
}

FIXTURES = """\
# Cases for `headrace test`: events in, as they arrive; expected rows and dead letters out.
cases:
  - name: events are counted per key and window, a repeated one once
    given:
      {topic}:
        - {{event_id: e1, {key}: ann, occurred_at: 2026-11-22T10:00:01Z, amount: 2.5}}
        - {{event_id: e1, {key}: ann, occurred_at: 2026-11-22T10:00:01Z, amount: 2.5}}
        - {{event_id: e2, {key}: ann, occurred_at: 2026-11-22T10:00:09Z, amount: 1.5}}
        - {{event_id: e3, {key}: bob, occurred_at: 2026-11-22T10:00:12Z, amount: 7.0}}
    expect:
      counts:
        - {{{key}: ann, window_start: 2026-11-22T10:00:00Z, events: 2, total: 4.0}}
        - {{{key}: bob, window_start: 2026-11-22T10:00:10Z, events: 1, total: 7.0}}

  - name: an event whose window has closed is a dead letter
    given:
      {topic}:
        - {{event_id: e1, {key}: ann, occurred_at: 2026-11-22T10:00:01Z, amount: 1.0}}
        - {{event_id: e2, {key}: ann, occurred_at: 2026-11-22T10:00:30Z, amount: 1.0}}
        - {{event_id: e3, {key}: ann, occurred_at: 2026-11-22T10:00:05Z, amount: 1.0}}
    expect:
      counts:
        - {{{key}: ann, window_start: 2026-11-22T10:00:00Z, events: 1}}
        - {{{key}: ann, window_start: 2026-11-22T10:00:30Z, events: 1}}
      deadLetters:
        - {{reason: Late, job: counts, id: e3}}
"""
