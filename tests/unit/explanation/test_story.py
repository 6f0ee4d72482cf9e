"""What became of an event: from copies, letters and positions to an outcome per job; and which rows it went into."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from headrace.core.dead_letter import Origin, Reason, envelope_headers
from headrace.core.documents import GatewayDocument, GatewayTopic, JobDocument, LoaderDocument
from headrace.core.load import load
from headrace.core.plan import plan
from headrace.core.sql.lateness import Lateness
from headrace.local.announce import LineAnnouncer
from headrace.local.platform import local_platform
from headrace.local.ports import Ports
from headrace.local.site import Site
from headrace_apps.dead_letters.letter import Letter, parse_letter
from headrace_apps.explanation.copies import Copy, copy_of, id_text
from headrace_apps.explanation.jobs import JobShape, shape_of
from headrace_apps.explanation.results import match_of
from headrace_apps.explanation.story import in_order, tell_job
from headrace_apps.explanation.table_rows import fetch_row
from headrace_apps.inspection.records import Record
from headrace_apps.inspection.values import Values
from headrace_apps.loader.session import Result
from headrace_apps.runtime import OutageError

SAMPLE = Path(__file__).parents[3] / "manifests" / "samples" / "clickstream" / "pipeline.yaml"
T0 = 1_795_300_000_000


@pytest.fixture(scope="module")
def documents(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[GatewayDocument, dict[str, JobDocument], LoaderDocument]:
    folder = tmp_path_factory.mktemp("site")
    site = Site(folder, folder, Ports(folder / "ports.json"), LineAnnouncer(print))
    found = plan(load(SAMPLE.read_text()).pipelines[0], local_platform(site))
    # Values are read as JSON here; a registry is not asked.
    gateway = found.gateway.document.model_copy(update={"registry": None})
    return gateway, {job.name.rpartition(".")[2]: job.document for job in found.jobs}, found.loaders[0].document


@pytest.fixture(scope="module")
def clicks(documents: Any) -> GatewayTopic:
    return documents[0].topic("clicks")  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def counting(documents: Any) -> JobShape:
    return shape_of(documents[1]["page-views"])


def event(identity: str = "e1", at: str = "2026-11-22T10:00:05Z", **more: Any) -> dict[str, Any]:
    return {"event_id": identity, "user_id": "ann", "page": "/a", "occurred_at": at, **more}


def record(value: Any, offset: int, partition: int = 2) -> Record:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Record("clickstream.clicks", partition, offset, T0 + offset, b"ann", raw)


@pytest.fixture
def copy(documents: Any, clicks: GatewayTopic) -> Copy:
    found = copy_of(record(event(), 41), clicks, "e1", Values(documents[0]))
    assert found is not None
    return found


def position(offset: int | None) -> dict[tuple[str, int], int | None]:
    return {("clickstream.clicks", 2): offset}


def letter_about(offset: int, stage: str, reason: Reason) -> Letter:
    headers = envelope_headers(
        None,
        stage=stage,
        reason=reason,
        error="is late",
        origin=Origin("clickstream.clicks", 2, offset),
        time=datetime.now(UTC),
    )
    found = parse_letter(Record("clickstream.dead-letters", 0, 0, T0, b"ann", b"{}", tuple(headers)))
    assert isinstance(found, Letter)
    return found


def test_a_jobs_document_tells_what_it_reads_and_when_an_event_is_late(counting: JobShape) -> None:
    (entry,) = counting.inputs
    assert (entry.topic, entry.group) == ("clickstream.clicks", "clickstream.page-views")
    assert entry.lateness == Lateness("window", "tumble", 10_000)
    assert (entry.id_field, entry.id_window_ms) == ("event_id", 3_600_000)
    assert (counting.name, counting.outputs, counting.keeps_late) == ("page-views", ("clickstream.page_views",), True)


def test_an_event_that_was_read_and_has_no_letter_was_used(counting: JobShape, copy: Copy) -> None:
    story = tell_job(counting, copy, [], [], position(42))
    assert story is not None
    assert story.outcome == "used"
    assert len(story.windows) == 1


@pytest.mark.parametrize(("offset", "outcome"), [(41, "not read yet"), (None, "not known")])
def test_what_a_job_has_not_reached_is_said(counting: JobShape, copy: Copy, offset: int | None, outcome: str) -> None:
    story = tell_job(counting, copy, [], [], position(offset))
    assert story is not None
    assert story.outcome == outcome


@pytest.mark.parametrize(("reason", "outcome"), [(Reason.LATE, "late"), (Reason.MALFORMED, "malformed")])
def test_a_letter_of_this_job_about_this_record_decides(
    counting: JobShape, copy: Copy, reason: Reason, outcome: str
) -> None:
    others = [letter_about(41, "job/clean-clicks", Reason.LATE), letter_about(40, "job/page-views", Reason.LATE)]
    letters = [(letter, None) for letter in [*others, letter_about(41, "job/page-views", reason)]]
    story = tell_job(counting, copy, [], letters, position(42))
    assert story is not None
    assert (story.outcome, story.why) == (outcome, "is late")
    without = tell_job(counting, copy, [], letters[:2], position(42))
    assert without is not None
    assert without.outcome == "used"


@pytest.mark.parametrize(("at", "outcome"), [("2026-11-22T10:30:00Z", "duplicate"), ("2026-11-22T12:00:00Z", "used")])
def test_an_earlier_copy_within_the_ids_window_makes_a_duplicate(
    documents: Any, counting: JobShape, copy: Copy, at: str, outcome: str
) -> None:
    later = copy_of(record(event(at=at), 50), copy.topic, "e1", Values(documents[0]))
    assert later is not None
    story = tell_job(counting, later, [copy], [], position(51))
    assert story is not None
    assert story.outcome == outcome


def test_a_job_that_does_not_read_the_topic_says_nothing(counting: JobShape, copy: Copy, documents: Any) -> None:
    elsewhere = Copy(documents[0].topic("page_views"), copy.record, copy.value, copy.at)
    assert tell_job(counting, elsewhere, [], [], {}) is None


@pytest.mark.parametrize(
    "value", [event("e2"), event("xe1"), b'{"event_id": "e1"', [event()], b"\xff\xfe", {"note": "e1"}]
)
def test_what_only_looks_like_the_event_is_another(documents: Any, clicks: GatewayTopic, value: Any) -> None:
    assert copy_of(record(value, 1), clicks, "e1", Values(documents[0])) is None


def test_an_escaped_id_is_the_same_id(documents: Any, clicks: GatewayTopic) -> None:
    raw = json.dumps(event("é1")).encode()
    assert b"\\u00e9" in raw
    assert copy_of(record(raw, 1), clicks, "é1", Values(documents[0])) is not None


@pytest.mark.parametrize(("value", "text"), [("e1", "e1"), (17, "17"), (None, None)])
def test_an_id_is_typed_as_json_writes_it(value: Any, text: str | None) -> None:
    assert id_text(value) == text


def test_copies_are_told_as_they_came(documents: Any, clicks: GatewayTopic, copy: Copy) -> None:
    first = copy_of(record(event(), 3, partition=5), clicks, "e1", Values(documents[0]))
    assert first is not None
    assert in_order([copy, first]) == [first, copy]


def row(**fields: Any) -> dict[str, Any]:
    window = {"window_start": "2026-11-22T10:00:00Z", "window_end": "2026-11-22T10:00:10Z"}
    return {"page": "/a", **window, "views": 1, "visitors": 1, **fields}


@pytest.mark.parametrize(
    ("found", "takes"),
    [
        (row(), True),
        (row(page="/b"), False),
        (row(window_start="2026-11-22T10:00:05Z"), True),
        (row(window_start="2026-11-22T10:00:06Z"), False),
        (row(window_end="2026-11-22T10:00:05Z"), False),
    ],
)
def test_a_row_took_the_event_when_its_key_and_its_window_agree(
    documents: Any, copy: Copy, found: dict[str, Any], takes: bool
) -> None:
    match = match_of(copy, documents[0].topic("page_views"))
    assert match is not None
    assert match.windowed
    assert match.takes(found) is takes


class Table:
    """A Snowflake that answers both questions."""

    def __init__(self, rows: list[tuple[Any, ...]], position: list[tuple[Any, ...]]) -> None:
        self._answers, self.asked, self.closed = [rows, position], list[str](), False

    def execute(self, sql: str) -> Result:
        self.asked.append(sql)
        return Result(self._answers.pop(0), 0)

    def close(self) -> None:
        self.closed = True


def test_a_table_is_asked_for_the_row_and_for_how_far_the_sink_is(documents: Any) -> None:
    table = Table([("2026-11-22 10:00:09",)], [(42,)])
    story = fetch_row(documents[2], record(event(), 41), lambda _: table)
    assert (story.loaded_at, story.next_offset, story.table) == ("2026-11-22 10:00:09", 42, "RAW.CLICKS")
    assert '"_PARTITION" = 2 AND "_OFFSET" = 41' in table.asked[0]
    assert "'clickstream.raw-clicks'" in table.asked[1]
    assert table.closed


def test_a_table_that_is_away_is_said_and_does_not_end_the_answer(documents: Any) -> None:
    def away(_: LoaderDocument) -> Table:
        raise OutageError("Snowflake does not answer")

    assert fetch_row(documents[2], record(event(), 41), away).trouble == "Snowflake does not answer"
