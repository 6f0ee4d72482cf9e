"""What a job reads and writes, and when an event is late for it: read off the document that runs. Pure.

The document is SQL for Flink; the options of its tables are the contract (docs/reference/contracts.md, "The job
document"), so they tell more surely than the manifest what the running version does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from headrace.core.documents import JobDocument
from headrace.core.sql.lateness import Lateness
from headrace.core.sql.render import DEAD_LETTERS

_TABLE = re.compile(r"CREATE TEMPORARY TABLE `((?:[^`]|``)*)`")
_OPTION = re.compile(r"'((?:[^']|'')*)' = '((?:[^']|'')*)'")


@dataclass(frozen=True, slots=True)
class Input:
    """`topic` is Kafka's name; `group` the consumer group whose offsets a checkpoint commits."""

    topic: str
    group: str
    lateness: Lateness
    id_field: str | None
    id_window_ms: int


@dataclass(frozen=True, slots=True)
class JobShape:
    """`name` is the short one (`page-views`); `outputs` are Kafka names of result topics."""

    name: str
    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    keeps_late: bool
    """Whether late events become dead letters; else they are only counted."""

    def input_of(self, topic: str) -> Input | None:
        return next((entry for entry in self.inputs if entry.topic == topic), None)


def shape_of(document: JobDocument) -> JobShape:
    """The tables of the statements, told apart by connector."""
    inputs, outputs = [], []
    for statement in document.statements:
        table = _TABLE.match(statement)
        if table is None:
            continue
        options = {_plain(key): _plain(value) for key, value in _OPTION.findall(statement.rpartition(") WITH (")[2])}
        if options.get("connector") == "headrace":
            inputs.append(_input(options))
        elif table[1] != DEAD_LETTERS and "topic" in options:
            outputs.append(options["topic"])
    keeps_late = any(
        DEAD_LETTERS in insert and "'late'" in insert.rpartition(" WHERE ")[2] for insert in document.inserts
    )
    return JobShape(document.name.rpartition(".")[2], tuple(inputs), tuple(outputs), keeps_late)


def _input(options: Mapping[str, str]) -> Input:
    return Input(
        topic=options["topic"],
        group=options.get("properties.group.id", ""),
        lateness=Lateness(
            rule=options.get("headrace.late.rule", "none"),  # type: ignore[arg-type]
            kind=options.get("headrace.late.kind"),  # type: ignore[arg-type]
            size_ms=_ms(options.get("headrace.late.size")),
            slide_ms=_ms(options.get("headrace.late.slide")),
            offset_ms=_ms(options.get("headrace.late.offset")),
        ),
        id_field=options.get("headrace.id.field"),
        id_window_ms=_ms(options.get("headrace.id.window")),
    )


def _ms(text: str | None) -> int:
    return int((text or "0").removesuffix("ms").strip() or 0)


def _plain(literal: str) -> str:
    return literal.replace("''", "'")
