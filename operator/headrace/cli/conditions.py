"""What the user asked of `dlq`, as words; with the running pipeline it becomes a selection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

import typer

from headrace.cli.options import parse_time
from headrace.cli.pipelines import RunningPipeline
from headrace.core.dead_letter import Reason
from headrace.core.problems import nearest
from headrace_apps.dead_letters.selection import Selection, ValueCondition, WrongPathError


@dataclass(frozen=True)
class Conditions:
    """`selection` with the topics as the user names them."""

    selection: Selection

    @classmethod
    def of(
        cls,
        *,
        letters: Sequence[str] | None,
        stages: Sequence[str] | None,
        reasons: Sequence[str] | None,
        topics: Sequence[str] | None,
        key: str | None,
        error: str | None,
        since: str | None,
        until: str | None,
        where: str | None,
        now: datetime,
    ) -> Self:
        """Raises BadParameter for what can be told without a pipeline."""
        known = {reason.value.lower(): reason.value for reason in Reason}
        for reason in reasons or ():
            if reason.lower() not in known:
                hint = nearest(reason, known.values())
                raise typer.BadParameter(f"{reason!r} is no reason ({hint})", param_hint="--reason")
        try:
            condition = ValueCondition(where) if where else None
        except WrongPathError as wrong:
            raise typer.BadParameter(str(wrong), param_hint="--where") from wrong
        return cls(
            Selection(
                stages=frozenset(stages or ()),
                reasons=frozenset(known[reason.lower()] for reason in reasons or ()),
                topics=frozenset(topics or ()),
                places=frozenset(letters or ()),
                key=key,
                error=error,
                since=parse_time(since, now) if since else None,
                until=parse_time(until, now) if until else None,
                where=condition,
            )
        )

    def demand_one(self, every: bool) -> None:
        """Raises BadParameter when nothing is selected by anything and `--every` was not said, or both were."""
        if self.selection == Selection() and not every:
            raise typer.BadParameter("say which letters (see --help), or --every for all open ones")
        if self.selection != Selection() and every:
            raise typer.BadParameter("--every goes with no other condition")

    def within(self, pipeline: RunningPipeline) -> Selection:
        """With Kafka's names of the topics, and stages and topics that the pipeline knows. Raises BadParameter."""
        names: dict[str, str] = {}
        for topic in pipeline.gateway.topics:
            names |= dict.fromkeys((topic.name, f"{pipeline.name}.{topic.name}", topic.kafka_topic), topic.kafka_topic)
        # A topic that left the pipeline may still have letters: its Kafka name is taken as it is.
        prefix = pipeline.dead_letter_topic.removesuffix("dead-letters")
        for topic_name in self.selection.topics:
            if topic_name not in names and not topic_name.startswith(prefix):
                hint = nearest(topic_name, [topic.name for topic in pipeline.gateway.topics])
                raise typer.BadParameter(f"{pipeline.name} has no topic {topic_name!r} ({hint})", param_hint="--topic")
        return replace(self.selection, topics=frozenset(names.get(name, name) for name in self.selection.topics))
