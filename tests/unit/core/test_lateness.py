"""What the core reads off a job's SQL: its tables, and when an event is late for it."""

from __future__ import annotations

import pytest

from headrace.core.sql.lateness import BY_ROW, NEVER, Lateness, lateness_of
from headrace.core.sql.tokens import SqlError, single_statement, tables_read, tokenize, without_end

TIMES = {"clicks": "ts"}


def late(sql: str, times: dict[str, str | None] | None = None) -> dict[str, Lateness]:
    return lateness_of(single_statement(tokenize(sql)), times or dict(TIMES))


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '10' SECOND)", Lateness("window", "tumble", 10_000)),
        (
            "TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '1' DAY, INTERVAL '-8' HOUR)",
            Lateness("window", "tumble", 86_400_000, 0, -28_800_000),
        ),
        (
            "HOP(TABLE clicks, DESCRIPTOR(`ts`), INTERVAL '5' MINUTES, INTERVAL '1' HOUR)",
            Lateness("window", "hop", 3_600_000, 300_000),
        ),
        (
            "CUMULATE(TABLE `clicks`, DESCRIPTOR(ts), INTERVAL '2' MINUTE, INTERVAL '10' MINUTE)",
            Lateness("window", "cumulate", 600_000, 120_000),
        ),
        (
            "SESSION(TABLE clicks PARTITION BY user_id, DESCRIPTOR(ts), INTERVAL '30' MINUTE)",
            Lateness("window", "session", 1_800_000, partition=("user_id",)),
        ),
        (
            "tumble(DATA => TABLE clicks, TIMECOL => DESCRIPTOR(ts), SIZE => INTERVAL '1.5' SECOND(3))",
            Lateness("window", "tumble", 1_500),
        ),
    ],
)
def test_a_window_decides_when_its_input_is_late(call: str, expected: Lateness) -> None:
    assert late(f"SELECT * FROM TABLE({call})") == {"clicks": expected}


def test_without_operations_by_event_time_nothing_is_late() -> None:
    assert late("SELECT a, 'TUMBLE(TABLE clicks' FROM clicks -- OVER (ORDER BY ts)") == {"clicks": NEVER}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT SUM(a) OVER (PARTITION BY b ORDER BY ts RANGE BETWEEN INTERVAL '1' HOUR PRECEDING AND CURRENT ROW) FROM clicks",
        "SELECT * FROM clicks MATCH_RECOGNIZE (ORDER BY ts MEASURES A.a AS a PATTERN (A) DEFINE A AS A.a > 1)",
        "SELECT COUNT(*) OVER w FROM clicks AS c WINDOW w AS (PARTITION BY a ORDER BY c.ts ROWS 3 PRECEDING)",
        "SELECT * FROM clicks ORDER BY ts",
        "SELECT * FROM clicks JOIN clicks FOR SYSTEM_TIME AS OF ts AS c ON a = b",
    ],
)
def test_row_by_row_operations_are_late_behind_the_watermark(sql: str) -> None:
    assert late(sql) == {"clicks": BY_ROW}


def test_a_window_over_a_cte_is_one_over_the_inputs_behind_it() -> None:
    sql = """WITH paid AS (SELECT * FROM clicks WHERE a > 1)
    SELECT * FROM TABLE(TUMBLE(TABLE paid, DESCRIPTOR(ts), INTERVAL '1' MINUTE))"""
    assert late(sql)["clicks"] == Lateness("window", "tumble", 60_000)


def test_only_a_session_over_the_input_itself_counts_on_open_sessions() -> None:
    sql = """WITH paid AS (SELECT * FROM clicks WHERE a > 1)
    SELECT * FROM TABLE(SESSION(TABLE paid PARTITION BY user_id, DESCRIPTOR(ts), INTERVAL '1' MINUTE))"""
    assert late(sql)["clicks"] == Lateness("window", "session", 60_000)


def test_the_order_within_a_window_is_decided_by_the_window() -> None:
    sql = """SELECT * FROM (
      SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY ts DESC) AS n
      FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '1' MINUTE))) WHERE n = 1"""
    assert late(sql)["clicks"] == Lateness("window", "tumble", 60_000)


def test_a_second_window_by_window_time_follows_the_first() -> None:
    sql = """WITH m AS (SELECT window_time FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '1' MINUTE)))
    SELECT * FROM TABLE(TUMBLE(TABLE m, DESCRIPTOR(window_time), INTERVAL '1' HOUR))"""
    assert late(sql)["clicks"].size_ms == 60_000


@pytest.mark.parametrize(
    ("sql", "line", "message"),
    [
        ("SELECT\n* FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(other), INTERVAL '1' DAY))", 2, "event time of 'clicks' is 'ts'"),
        ("SELECT * FROM clicks GROUP BY TUMBLE(ts, INTERVAL '1' DAY)", 1, "cannot read"),
        ("SELECT * FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '1' MONTH))", 1, "not a literal"),
        ("SELECT * FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '1:30' MINUTE TO SECOND))", 1, "not a literal"),
        ("SELECT * FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '0' SECOND))", 1, "no size"),
        ("SELECT * FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '" + "9" * 400 + "' DAY))", 1, "not a literal"),
        (
            "SELECT * FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '1' DAY)) UNION ALL\n"
            "SELECT * FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '2' DAY))",
            2,
            "two different windows",
        ),
        (
            "WITH c AS (SELECT a, ts AS at FROM clicks)\n"
            "SELECT * FROM TABLE(TUMBLE(TABLE c, DESCRIPTOR(at), INTERVAL '1' DAY))",
            2,
            "the event time of no input",
        ),
        (
            "WITH o AS (SELECT SUM(a) OVER (ORDER BY ts) AS s, ts FROM clicks)\n"
            "SELECT * FROM TABLE(TUMBLE(TABLE o, DESCRIPTOR(ts), INTERVAL '1' DAY))",
            2,
            "another operation ordered by 'ts'",
        ),
    ],
)  # fmt: skip
def test_a_window_that_cannot_be_read_is_refused(sql: str, line: int, message: str) -> None:
    with pytest.raises(SqlError, match=message) as error:
        late(sql)
    assert error.value.line == line


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("SELECT * FROM a JOIN `b-c` ON TRUE", {"a", "b-c"}),
        ("WITH x AS (SELECT * FROM a), y (k) AS (SELECT 1 FROM x) SELECT * FROM y, b", {"a"}),
        ("SELECT EXTRACT(YEAR FROM ts), TRIM(BOTH ' ' FROM s) FROM a WHERE p IS DISTINCT FROM q", {"a"}),
        ("SELECT * FROM (SELECT * FROM a) CROSS JOIN UNNEST(tags) AS t (tag)", {"a"}),
        ("SELECT * FROM TABLE(HOP(TABLE a, DESCRIPTOR(ts), INTERVAL '1' DAY, INTERVAL '2' DAY))", {"a"}),
        ("SELECT * FROM a, LATERAL TABLE(f(x)) AS t (y)", {"a"}),
        ("SELECT 'FROM nowhere' /* FROM no */ FROM a -- FROM nothing\n", {"a"}),
    ],
)
def test_the_tables_that_a_select_reads(sql: str, tables: set[str]) -> None:
    assert set(tables_read(tokenize(sql))) == tables


@pytest.mark.parametrize("end", ["", ";", " ;; ", "; -- done", "/* a */ ; /* b */\n"])
def test_what_ends_a_statement_is_left_out(end: str) -> None:
    assert without_end("SELECT ';' AS a -- ;\nFROM b" + end) == "SELECT ';' AS a -- ;\nFROM b"
