"""What Flink refuses is told in the words of the manifest: its columns, and the lines of the job's own SQL."""

from __future__ import annotations

from headrace.local.flink_words import in_words_of_the_manifest

VIEW = "CREATE TEMPORARY VIEW `__result` AS\nSELECT city,\n  SUM(fair) AS fare\nFROM rides"
INSERT = "INSERT INTO `__sink_totals` (`city`, `fare`)\nSELECT `city`, `fare`\nFROM `__result`"


def test_a_place_in_the_sql_counts_its_own_lines() -> None:
    error = {"message": "Column 'fair' not found in any table", "line": 3, "column": 7, "statement": VIEW}
    assert in_words_of_the_manifest(error) == "Column 'fair' not found in any table (line 2 of its sql, column 7)"


def test_a_place_that_the_message_names_itself_is_told_once() -> None:
    error = {"message": 'Encountered "AS" at line 3, column 4.', "line": 3, "column": 4, "statement": VIEW}
    assert in_words_of_the_manifest(error) == 'Encountered "AS" at line 2, column 4.'


def test_a_column_that_the_select_lacks_is_named() -> None:
    error = {"message": "Column 'fare' not found in any table", "line": 2, "column": 17, "statement": INSERT}
    assert in_words_of_the_manifest(error) == "its SELECT gives no column 'fare', which the output's schema has"


def test_a_column_of_the_wrong_type_is_named() -> None:
    message = (
        "Column types of query result and sink do not match.\nCause: Incompatible types for sink column 'fare' at 2."
    )
    assert "column 'fare' of its SELECT is not of the type" in in_words_of_the_manifest({"message": message})
