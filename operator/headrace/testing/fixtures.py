"""Fixture text to cases, or every problem with its line: the first step of `headrace test`. Pure but for `find_files`.

A fixture names topics, fields and jobs of the pipeline; a name that is not there is told with the nearest that is.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from headrace.core.manifest import Document, parse_yaml
from headrace.core.parse import parse_model
from headrace.core.pipeline import Pipeline, Topic
from headrace.core.problems import Path as FieldPath
from headrace.core.problems import Problem, nearest, shorten
from headrace.testing.cases import Case, Event, ExpectedLetter, ExpectedRows
from headrace.testing.jobs import jobs_of
from headrace.testing.wire import DEAD_LETTERS, CaseFixture, FixtureFile, LetterFixture, RowsFixture, ValueForm
from headrace_apps.records.instants import parse_instant

FOLDER = "tests"


def find_files(manifest: Path) -> list[Path]:
    """The fixture files beside a manifest."""
    folder = manifest.absolute().parent / FOLDER
    return sorted(file for pattern in ("*.yaml", "*.yml") for file in folder.glob(pattern))


def parse_fixtures(
    text: str | bytes, file: Path, pipelines: Iterable[Pipeline], source: str = ""
) -> list[Case] | list[Problem]:
    """The cases of one file, each with its pipeline's name, or every problem with it. Never raises."""
    source = source or str(file)
    cases: list[Case] = []
    problems: list[Problem] = []
    known = {pipeline.name: pipeline for pipeline in pipelines}
    for document in parse_yaml(text, source):
        if isinstance(document, Problem):
            problems.append(document)
            continue
        wire = parse_model(document, FixtureFile)
        if isinstance(wire, list):
            problems += wire
            continue
        if wire.pipeline is None and len(known) != 1:
            hint = f"name one of {', '.join(sorted(known))}"
            problems.append(document.problem(("pipeline",), "is required: the manifest holds several pipelines", hint))
        elif wire.pipeline is not None and wire.pipeline not in known:
            problems.append(
                document.problem(
                    ("pipeline",),
                    f"{shorten(wire.pipeline)!r} is none of the manifest's",
                    nearest(wire.pipeline, known),
                )
            )
        else:
            reader = _Reader(document, known[wire.pipeline or next(iter(known))], file)
            cases += [reader.case(case, index) for index, case in enumerate(wire.cases)]
            problems += reader.problems
    return problems or cases


class _Reader:
    """Cases of one document; collects what is wrong with them."""

    def __init__(self, document: Document, pipeline: Pipeline, file: Path) -> None:
        self._document, self._pipeline, self._file = document, pipeline, file
        self._topics = {topic.name: topic for topic in pipeline.topics}
        self._jobs = {job.name: job for job in pipeline.jobs}
        self._names: set[str] = set()
        self.problems: list[Problem] = []

    def case(self, wire: CaseFixture, index: int) -> Case:
        path: FieldPath = ("cases", index)
        if wire.name in self._names:
            self._add((*path, "name"), f"{wire.name!r} is the name of an earlier case, too")
        self._names.add(wire.name)
        given = {
            name: tuple(self._event(event, (*path, "given", name, number)) for number, event in enumerate(events))
            for name, events in wire.given.items()
            if self._known((*path, "given", name), name, self._topics, "topic of this pipeline")
        }
        letters = self._letters(wire.expect.get(DEAD_LETTERS, []), (*path, "expect", DEAD_LETTERS))
        expect = {
            name: self._rows(name, value, (*path, "expect", name))
            for name, value in wire.expect.items()
            if name != DEAD_LETTERS and self._expected((*path, "expect", name), name)
        }
        named = wire.jobs or [letter.job for letter in letters or () if letter.job]
        for number, job in enumerate(wire.jobs or ()):
            self._known((*path, "jobs", number), job, self._jobs, "job of this pipeline")
        jobs = jobs_of(self._pipeline, given, expect, named, closed=wire.jobs is not None)
        if not jobs:
            self._add(
                path, "no job reads what is given and none writes what is expected", "give events to a job's input"
            )
        return Case(
            self._pipeline.name, wire.name, self._file, self._document.locate(path)[0], given, expect, letters, jobs
        )

    def _expected(self, path: FieldPath, name: str) -> bool:
        if not self._known(path, name, self._topics, f"topic of this pipeline (nor {DEAD_LETTERS})"):
            return False
        if not any(job.output == name for job in self._pipeline.jobs):
            outputs = ", ".join(sorted({job.output for job in self._pipeline.jobs}))
            self._add(path, f"{name!r} is written by no job", f"jobs write: {outputs}")
            return False
        return True

    def _event(self, event: dict[str, Any], path: FieldPath) -> Event:
        """A plain mapping is the value; one whose names start with $ says more."""
        if not any(name.startswith("$") for name in event):
            return Event(value=event)
        form = parse_model(replace(self._document, value=event, places=self._below(path)), ValueForm)
        if isinstance(form, list):
            self.problems += [replace(problem, path=(*path, *problem.path)) for problem in form]
            return Event()
        ways = [way for way in (form.value, form.raw, form.base64) if way is not None]
        if len(ways) > 1 or (not ways and "$value" not in event):
            self._add(path, "needs one of $value, $raw and $base64")
        raw = form.raw.encode() if form.raw is not None else self._bytes(form.base64, path)
        return Event(
            form.value,
            raw,
            form.key.encode() if form.key is not None else None,
            self._instant(form.time, (*path, "$time")),
            tuple((name, value.encode()) for name, value in form.headers.items()),
        )

    def _below(self, path: FieldPath) -> dict[FieldPath, tuple[int, int]]:
        size = len(path)
        return {place[size:]: at for place, at in self._document.places.items() if place[:size] == path}

    def _bytes(self, text: str | None, path: FieldPath) -> bytes | None:
        try:
            return None if text is None else base64.b64decode(text, validate=True)
        except binascii.Error:
            self._add((*path, "$base64"), "is not base64")
            return None

    def _instant(self, text: str | None, path: FieldPath) -> int | None:
        try:
            return None if text is None else parse_instant(text)
        except ValueError as error:
            self._add(path, str(error), "such as 2026-11-22T10:00:00Z")
            return None

    def _rows(self, topic: str, value: Any, path: FieldPath) -> ExpectedRows:
        wrapped = {"rows": value} if isinstance(value, list) else value
        form = parse_model(replace(self._document, value=wrapped, places=self._below(path)), RowsFixture)
        if isinstance(form, list):
            self.problems += [replace(problem, path=(*path, *problem.path)) for problem in form]
            return ExpectedRows(())
        inside = path if isinstance(value, list) else (*path, "rows")
        for number, row in enumerate(form.rows):
            self._fields((*inside, number), row, self._topics[topic])
        return ExpectedRows(tuple(form.rows), form.match == "Exact", form.order == "AsGiven", form.fields == "All")

    def _fields(self, path: FieldPath, row: dict[str, Any], topic: Topic) -> None:
        columns = [column.name for column in topic.schema.columns]
        for name in row:
            if name not in columns:
                self._add((*path, name), f"{topic.name} has no field {shorten(name)!r}", nearest(name, columns))

    def _letters(self, value: Any, path: FieldPath) -> tuple[ExpectedLetter, ...] | None:
        if value == "Any":
            return None
        if not isinstance(value, list):
            self._add(path, "must be a list of dead letters, or Any (they are not compared)")
            return ()
        letters = []
        for number, entry in enumerate(value):
            here = (*path, number)
            form = parse_model(replace(self._document, value=entry, places=self._below(here)), LetterFixture)
            if isinstance(form, list):
                self.problems += [replace(problem, path=(*here, *problem.path)) for problem in form]
                continue
            if form.topic is not None:
                self._known((*here, "topic"), form.topic, self._topics, "topic of this pipeline")
            if form.job is not None and not self._known((*here, "job"), form.job, self._jobs, "job of this pipeline"):
                continue
            identity = None if form.id is None else str(form.id)
            letters.append(
                ExpectedLetter(form.reason, form.topic, form.job, identity, form.raw, form.value, form.error)
            )
        return tuple(letters)

    def _known(self, path: FieldPath, name: str, known: Iterable[str], what: str) -> bool:
        known = list(known)
        if name not in known:
            self._add(path, f"{shorten(name)!r} is no {what}", nearest(name, known))
        return name in known

    def _add(self, path: FieldPath, message: str, hint: str = "") -> None:
        self.problems.append(self._document.problem(path, message, hint))
