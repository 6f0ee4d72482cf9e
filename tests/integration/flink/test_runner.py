"""What the runner says: a job id per document, or the SQL's error with its place, and nothing else on standard output."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.integration

OUTPUTS = ("clicks", "page_views", "home_clicks", "dead-letters")


def test_errors_name_their_place_and_do_not_stop_the_other_documents(stream: Any) -> None:
    for name in OUTPUTS:
        stream.topic(name)
    unknown = stream.document("page-views", lambda text: text.replace("SELECT page,", "SELECT pagee,"))
    reserved = stream.document("page-views", lambda text: text.replace("AS `views`", "AS views"))
    mistyped = stream.document("page-views", lambda text: text.replace("'tumble'", "'tumbel'"))
    good = stream.document("home-clicks")
    of_unknown, of_reserved, of_mistyped, of_good = stream.run(unknown, reserved, mistyped, good)

    assert "Column 'pagee' not found" in of_unknown["error"]["message"]
    assert (of_unknown["error"]["line"], of_unknown["error"]["column"]) == (2, 8)
    assert of_unknown["error"]["statement"].startswith("CREATE TEMPORARY VIEW `__result`")
    assert "write it in backticks" in of_reserved["error"]["message"]
    assert "tumbel" in of_mistyped["error"]["message"]
    assert all(len(outcome["error"]["message"].splitlines()) <= 2 for outcome in (of_unknown, of_reserved, of_mistyped))
    assert of_good["name"] == f"{stream.prefix}home-clicks"
    assert stream.get(f"/jobs/{of_good['jobId']}")["name"] == of_good["name"]


def test_a_check_plans_and_submits_nothing(stream: Any) -> None:
    before = len(stream.get("/jobs/overview")["jobs"])
    (outcome,) = stream.run(stream.document("page-views"), options=["--check"])
    assert "GlobalWindowAggregate" in outcome["plan"]
    assert outcome["plan"].count("Reused(") == 2  # results and dead letters share one scan
    assert len(stream.get("/jobs/overview")["jobs"]) == before


def test_an_unreachable_cluster_is_one_line(stream: Any) -> None:
    stream.rest = "http://127.0.0.1:9"
    (outcome,) = stream.run(stream.document("home-clicks"))
    assert "127.0.0.1:9" in outcome["error"]["message"]
    assert len(outcome["error"]["message"].splitlines()) == 1
