"""Flink's Java traces become one or two lines for the person who wrote the SQL."""

from __future__ import annotations

import pytest

from headrace_flink.failure import MAX_CHARS, describe_failure

UNKNOWN_COLUMN = """\
org.apache.flink.table.api.ValidationException: SQL validation failed. From line 2, column 8 to line 2, column 12: \
Column 'pagee' not found in any table; did you mean 'page'?
\tat org.apache.flink.table.planner.calcite.FlinkPlannerImpl.org$apache$flink$validate(FlinkPlannerImpl.scala:228)
\tat java.base/java.lang.Thread.run(Thread.java:840)
Caused by: org.apache.calcite.runtime.CalciteContextException: From line 2, column 8 to line 2, column 12: \
Column 'pagee' not found in any table; did you mean 'page'?
\tat java.base/jdk.internal.reflect.NativeConstructorAccessorImpl.newInstance0(Native Method)
Caused by: org.apache.calcite.sql.validate.SqlValidatorException: Column 'pagee' not found in any table; \
did you mean 'page'?
\t... 35 more
"""

RESERVED_WORD = """\
org.apache.flink.table.api.SqlParserException: SQL parse failed. Encountered "views" at line 2, column 52.
Was expecting one of:
    <EOF>
    "ORDER" ...
    "LIMIT" ...
\tat org.apache.flink.table.planner.parse.CalciteParser.parseSqlList(CalciteParser.java:82)
Caused by: org.apache.calcite.sql.parser.SqlParseException: Encountered "views" at line 2, column 52.
Was expecting one of:
    <EOF>
    "ORDER" ...
\t... 3 more
Caused by: org.apache.flink.sql.parser.impl.ParseException: Encountered "views" at line 2, column 52.
Was expecting one of:
    <EOF>
\tat org.apache.flink.sql.parser.impl.FlinkSqlParserImpl.generateParseException(FlinkSqlParserImpl.java:46382)
"""

UNREACHABLE = """\
org.apache.flink.table.api.TableException: Failed to execute sql
\tat org.apache.flink.table.api.internal.TableEnvironmentImpl.executeInternal(TableEnvironmentImpl.java:1104)
Caused by: org.apache.flink.util.FlinkException: Failed to execute job 'clickstream.page-views'.
\t... 14 more
Caused by: java.lang.RuntimeException: org.apache.flink.runtime.client.JobInitializationException: Could not start
\t... 12 more
Caused by: org.apache.flink.shaded.netty4.io.netty.channel.AbstractChannel$AnnotatedConnectException: \
Connection refused: /127.0.0.1:8081
Caused by: java.net.ConnectException: Connection refused
"""

MISTYPED_OPTION = """\
org.apache.flink.table.api.ValidationException: Unable to create a source for reading table 'x'.
\tat a.B.c(B.java:1)
Caused by: java.lang.IllegalArgumentException: Could not parse value 'tumbel' for key 'headrace.late.kind'.
\t... 12 more
Caused by: java.lang.IllegalArgumentException: Could not parse value for enum class a.Kind. Expected one of: [[TUMBLE]]
"""


def test_the_place_and_the_words_of_a_wrong_column() -> None:
    failure = describe_failure(UNKNOWN_COLUMN)
    assert failure.message == "Column 'pagee' not found in any table; did you mean 'page'?"
    assert (failure.line, failure.column) == (2, 8)


@pytest.mark.parametrize("prefix", ["", "An error occurred while calling o235.executeSql.\n: "])
def test_a_word_of_sql_used_as_a_name_says_how_to_quote_it(prefix: str) -> None:
    failure = describe_failure(prefix + RESERVED_WORD)
    assert failure.message.splitlines() == [
        'Encountered "views" at line 2, column 52.',
        "If `views` is meant as a name, write it in backticks: it is a word of Flink's SQL.",
    ]
    assert (failure.line, failure.column) == (2, 52)


def test_the_innermost_cause_is_told() -> None:
    failure = describe_failure(UNREACHABLE)
    assert failure.message == "Connection refused: /127.0.0.1:8081"
    assert failure.line is None


def test_a_wrong_option_is_named_with_what_it_takes() -> None:
    assert describe_failure(MISTYPED_OPTION).message.splitlines() == [
        "Could not parse value 'tumbel' for key 'headrace.late.kind'.",
        "Could not parse value for enum class a.Kind. Expected one of: [[TUMBLE]]",
    ]


def test_an_exception_without_words_is_told_by_its_kind() -> None:
    assert describe_failure("java.lang.NullPointerException\n\tat a.B.c(B.java:1)").message == "NullPointerException"


def test_text_that_is_no_trace_stays() -> None:
    assert describe_failure("gateway is gone").message == "gateway is gone"
    assert describe_failure("").message == "Flink gave no reason"


def test_a_long_message_is_cut_to_two_lines() -> None:
    trace = "a.b.ValidationException: one\n\ntwo\nthree " + "x" * 5000 + "\n\tat a.B.c(B.java:1)"
    assert describe_failure(trace).message == "one\ntwo"
    assert len(describe_failure("a.b.C: " + "x" * 5000).message) <= MAX_CHARS
