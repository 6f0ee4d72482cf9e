"""What Flink refuses is told in the words of the manifest: its columns, and the lines of the job's own SQL."""

from __future__ import annotations

from typing import Any

from headrace.local.flink_words import Complaint, complaints_of, left_out

VIEW = "CREATE TEMPORARY VIEW `__result` AS\nSELECT city,\n  SUM(fair) AS fare\nFROM rides"
INSERT = "INSERT INTO `__sink_totals` (`city`, `fare`)\nSELECT `city`, `fare`\nFROM `__result`"


def refusal(**error: Any) -> Complaint:
    (complaint,) = complaints_of({"error": error})
    return complaint


def columns(**types: str) -> list[dict[str, str]]:
    return [{"name": name, "sql": sql} for name, sql in types.items()]


def test_an_unknown_column_has_its_place_in_the_sql_and_the_nearest_known_one() -> None:
    told = refusal(
        message="Column 'fair' not found in any table", line=3, column=7, statement=VIEW, known=["city", "fare"]
    )
    assert str(told) == "line 2 of its sql, column 7: there is no column 'fair' here (did you mean 'fare'?)"


def test_a_place_that_the_message_names_itself_counts_the_same_lines() -> None:
    told = refusal(message='Encountered "AS" at line 3, column 4.', line=3, column=4, statement=VIEW)
    assert (told.line, told.column, told.message) == (2, 4, 'Encountered "AS" at line 2, column 4.')


def test_a_refusal_without_a_place_is_told_as_it_is() -> None:
    assert str(refusal(message="no such option", statement="CREATE TEMPORARY TABLE x")) == "no such option"


def test_every_column_that_is_missing_or_of_a_wrong_type_is_told_at_once() -> None:
    answer = {
        "columns": columns(city="STRING", fair="DOUBLE", rides="BIGINT"),
        "output": columns(city="STRING", fare="DOUBLE", rides="STRING"),
        "missing": ["fare"],
        "unfit": ["rides"],
    }
    assert [str(complaint) for complaint in complaints_of(answer)] == [
        "its SELECT gives no column 'fare', which the output's schema has (it gives 'fair' besides: rename with AS)",
        "column 'rides' of its SELECT is BIGINT; the output's schema makes it STRING "
        "(CAST it in the SELECT, or change the schema)",
    ]
    assert left_out(answer) == ["fair"]


def test_a_job_that_fits_has_no_complaint() -> None:
    answer = {"columns": columns(city="STRING"), "output": columns(city="STRING"), "missing": [], "unfit": []}
    assert complaints_of(answer) == []
    assert complaints_of({"jobId": "1"}) == []


def test_what_flink_says_of_the_insert_is_told_of_the_select() -> None:
    assert "gives no column 'fare'" in str(
        refusal(message="Column 'fare' not found in any table", line=2, column=17, statement=INSERT)
    )
    assert "column 'fare' of its SELECT is not of the type" in str(
        refusal(message="Column types do not match.\nCause: Incompatible types for sink column 'fare' at position 2.")
    )
