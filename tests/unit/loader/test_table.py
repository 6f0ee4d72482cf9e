"""The SQL, the order it runs in, the table's evolution, and the positions that are not guessed around."""

from __future__ import annotations

import dataclasses
import uuid
from pathlib import Path
from typing import Any

import pytest
from snowflake.connector.errors import DatabaseError, OperationalError, ProgrammingError

from headrace.core.columns import JSON, STRING, Column, ColumnType, Kind
from headrace.core.documents import (
    Identity,
    LoaderDocument,
    LoaderTopic,
    SnowflakeConnection,
    Table,
    TableColumn,
)
from headrace_apps.loader import session as session_module
from headrace_apps.loader.batches import Batch
from headrace_apps.loader.evolution import Changes, TableMismatchError, diff_table
from headrace_apps.loader.layout import TableColumn as Placed
from headrace_apps.loader.layout import mapping_of, plan_layout
from headrace_apps.loader.positions import Bounds, PositionLostError, plan_positions, plan_touched
from headrace_apps.loader.session import (
    DataRefusedError,
    NotAllowedError,
    Result,
    connect_arguments,
)
from headrace_apps.loader.sink import FencedError, Loaded, SnowflakeSink, StoredPosition
from headrace_apps.loader.statements import Statements, identifier, literal
from headrace_apps.runtime import OutageError, Span


def document(compacted: bool = False) -> LoaderDocument:
    return LoaderDocument(
        pipeline="p",
        sink="s",
        kafka={},
        group_id="p.s",
        dead_letter_topic="p.dead-letters",
        topic=LoaderTopic(name="t", kafka_topic="p.t", compacted=compacted, key_fields=("id",)),
        table=Table(database="DB", schema_="RAW", name="T"),
        columns=(TableColumn(name="ID", field="id", type=STRING),),
        fields=(Column(name="id", type=STRING, required=True),),
        id=None if compacted else Identity(field="id", window_ms=60_000),
        snowflake=SnowflakeConnection(account="a", user="u"),
    )


class Script:
    """A session that notes every statement, and answers those that start with a given text."""

    def __init__(self, **answers: Any) -> None:
        self.statements: list[str] = []
        self.answers = {"UPDATE": Result([], 1), **answers}

    def execute(self, sql: str) -> Result:
        self.statements.append(sql)
        answer = self.answers.get(sql.split(" ", 1)[0], Result([], 0))
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, Result)
        return answer

    def close(self) -> None:
        self.statements.append("(closed)")

    @property
    def verbs(self) -> list[str]:
        return [statement.split(" ", 1)[0] for statement in self.statements]


def sink_over(script: Script, doc: LoaderDocument) -> SnowflakeSink:
    sink = SnowflakeSink(doc, plan_layout(doc), lambda: script, uuid.uuid4)
    sink.prepare()
    script.statements.clear()
    return sink


def batch() -> Batch:
    row = ("a", "p.t", 0, 3, 5, 9, 0, 1, False)
    return Batch({0: Span(3, 4)}, 1, [row], [], [])


def test_identifiers_and_literals_are_quoted() -> None:
    assert identifier('a"b') == '"a""b"'
    assert literal("it's a \\ here") == "'it''s a \\\\ here'"


def test_the_fence_advances_each_partition_only_from_where_the_batch_starts() -> None:
    doc = document()
    sql = Statements(doc.table, plan_layout(doc), "p.s", "p.t", "S")
    assert sql.fence({1: Span(5, 9), 0: Span(2, 4)}) == (
        'UPDATE "DB"."RAW"."_HEADRACE_OFFSETS" SET "NEXT_OFFSET" = CASE "PARTITION" WHEN 0 THEN 4 WHEN 1 THEN 9 END, '
        '"UPDATED_AT" = SYSDATE() WHERE "SINK" = \'p.s\' AND "TOPIC" = \'p.t\' AND '
        '(("PARTITION" = 0 AND "NEXT_OFFSET" = 2) OR ("PARTITION" = 1 AND "NEXT_OFFSET" = 5))'
    )


def test_copy_takes_no_text_for_null() -> None:
    """By default Snowflake's Parquet format reads the two characters `\\N` as NULL; ours writes NULLs as NULLs."""
    doc = document()
    sql = Statements(doc.table, plan_layout(doc), "p.s", "p.t", "S")
    assert "FILE_FORMAT = (TYPE = PARQUET NULL_IF = ())" in sql.copy("folder")


def test_a_load_is_one_transaction_without_ddl() -> None:
    script = Script(INSERT=Result([], 1))
    assert sink_over(script, document()).load(batch()) == Loaded(1, 0)
    assert script.verbs == ["PUT", "BEGIN", "UPDATE", "COPY", "SELECT", "INSERT", "DELETE", "COMMIT", "REMOVE"]


def test_a_load_of_a_compacted_topic_merges() -> None:
    script = Script(SELECT=Result([(1,)], 1))
    doubled = dataclasses.replace(batch(), rows=[("a", "p.t", 0, 3, 5, 9, 0, 2, False)])
    assert sink_over(script, document(compacted=True)).load(doubled) == Loaded(1, 1)
    assert script.verbs == [
        "PUT", "BEGIN", "UPDATE", "COPY", "SELECT", "DELETE", "SELECT", "MERGE", "DELETE", "COMMIT", "REMOVE",
    ]  # fmt: skip


def test_a_fence_that_does_not_hold_rolls_back_before_any_work() -> None:
    script = Script(UPDATE=Result([], 0))
    with pytest.raises(FencedError):
        sink_over(script, document()).load(batch())
    assert script.verbs == ["PUT", "BEGIN", "UPDATE", "ROLLBACK", "REMOVE"]


def test_a_copy_that_found_no_file_is_not_committed() -> None:
    script = Script(INSERT=Result([], 0))
    with pytest.raises(OutageError, match="of 1 staged records, 0 were loaded and 0 known"):
        sink_over(script, document()).load(batch())
    assert script.verbs[-2:] == ["ROLLBACK", "REMOVE"]


@pytest.mark.parametrize("error", [OutageError("gone"), DataRefusedError("too long")])
@pytest.mark.parametrize("verb", ["COPY", "INSERT", "DELETE"])
def test_whatever_fails_is_rolled_back(verb: str, error: Exception) -> None:
    script = Script(**{"INSERT": Result([], 1), verb: error})
    with pytest.raises(type(error)):
        sink_over(script, document()).load(batch())
    assert "ROLLBACK" in script.verbs
    assert "COMMIT" not in script.verbs


def test_a_commit_whose_answer_was_lost_is_not_made_twice() -> None:
    script = Script(INSERT=Result([], 1), COMMIT=OutageError("no answer"))
    sink = sink_over(script, document())
    with pytest.raises(OutageError):
        sink.load(batch())
    sink.disconnect()
    script.answers["SELECT"] = Result([(0, 4, "id", 0)], 1)
    sink.prepare()
    script.statements.clear()
    assert sink.load(batch()) == Loaded(1, 0)
    assert script.verbs == ["SELECT"]


@pytest.mark.parametrize(
    ("kind", "existing"),
    [
        (Kind.STRING, "VARCHAR(16777216)"), (Kind.STRING, "TEXT"), (Kind.BIGINT, "NUMBER(38,0)"),
        (Kind.BYTES, "BINARY(8388608)"), (Kind.DOUBLE, "FLOAT"), (Kind.TIMESTAMP, "TIMESTAMP_NTZ(9)"),
        (Kind.DATE, "DATE"), (Kind.JSON, "VARIANT"), (Kind.BOOLEAN, "BOOLEAN"),
    ],
)  # fmt: skip
def test_a_column_of_the_same_family_stays_as_it_is(kind: Kind, existing: str) -> None:
    column = Placed("C", mapping_of(ColumnType(kind=kind)))
    new = Placed("NEW", mapping_of(ColumnType(kind=kind)))
    assert diff_table("T", [column, new], {"C": existing, "OTHER": "BINARY(8)"}) == Changes([new], [], set())


DECIMAL = ColumnType(kind=Kind.DECIMAL, precision=12, scale=2)


@pytest.mark.parametrize(
    ("type_", "existing", "declared"),
    [
        (STRING, "VARCHAR(10)", "VARCHAR"), (ColumnType(kind=Kind.BIGINT), "NUMBER(5,0)", "NUMBER(38,0)"),
        (DECIMAL, "NUMBER(10,2)", "NUMBER(12,2)"), (DECIMAL, "NUMBER(10,3)", "NUMBER(13,3)"),
        (DECIMAL, "NUMBER(12,2)", None), (DECIMAL, "NUMBER(38,10)", None),
    ],
)  # fmt: skip
def test_a_column_is_widened_and_never_narrowed(type_: ColumnType, existing: str, declared: str | None) -> None:
    column = Placed("C", mapping_of(type_))
    assert diff_table("T", [column], {"C": existing}) == Changes([], [(column, declared)] if declared else [], set())


def test_digits_after_the_point_cannot_follow() -> None:
    with pytest.raises(
        TableMismatchError, match=r"column C is NUMBER\(38,0\), the sink loads NUMBER\(12,2\)\. Change the"
    ):
        diff_table("T", [Placed("C", mapping_of(DECIMAL))], {"C": "NUMBER(38,0)"})


def test_a_text_that_became_any_json_stays_text() -> None:
    """`["null", "string"]` that became `["null", "string", "long"]`: what is in the table keeps its type."""
    doc = document().model_copy(
        update={
            "columns": (TableColumn(name="ID", field="id", type=STRING), TableColumn(name="C", field="c", type=JSON))
        }
    )
    layout = plan_layout(doc)
    changes = diff_table("T", layout.table, {c.name: c.type.declared for c in layout.table} | {"C": "VARCHAR"})
    assert changes == Changes([], [], {"C"})
    column = layout.with_texts(changes.texts).table[1]
    assert (column.type.declared, layout.table[1].type.declared) == ("VARCHAR", "VARIANT")
    assert column.type.staged is not None
    assert [column.type.staged(value) for value in ('"a\\"b"', "5", '{"x":1}')] == ['a"b', "5", '{"x":1}']


def test_widening_is_a_statement_of_its_own_before_any_load() -> None:
    script = Script(DESCRIBE=Result([("ID", "VARCHAR(5)")], 1))
    doc = document()
    SnowflakeSink(doc, plan_layout(doc), lambda: script, uuid.uuid4).prepare()
    assert 'ALTER TABLE "DB"."RAW"."T" ALTER COLUMN "ID" SET DATA TYPE VARCHAR' in script.statements


def test_a_role_that_may_not_widen_a_column_loads_what_fits() -> None:
    columns = [(c.name, c.type.declared) for c in plan_layout(document()).table]
    script = Script(DESCRIBE=Result([*columns, ("ID", "VARCHAR(5)")], 1), ALTER=NotAllowedError("not the owner"))
    sink_over(script, document())


@pytest.mark.parametrize(
    ("kind", "existing"),
    [
        (Kind.STRING, "NUMBER(38,0)"), (Kind.BIGINT, "VARCHAR(10)"), (Kind.TIMESTAMP, "TIMESTAMP_LTZ(9)"),
        (Kind.TIMESTAMP, "TIMESTAMP_NTZ(0)"), (Kind.JSON, "NUMBER(38,0)"), (Kind.ROW, "VARCHAR(9)"),
    ],
)  # fmt: skip
def test_a_column_that_cannot_hold_its_values_is_named(kind: Kind, existing: str) -> None:
    type_ = ColumnType(kind=kind, fields=() if kind is Kind.ROW else None)
    with pytest.raises(TableMismatchError, match=rf"table T: column C is {existing.split('(', maxsplit=1)[0]}"):
        diff_table("T", [Placed("C", mapping_of(type_))], {"C": existing})


def stored(offset: int, topic_id: str = "id") -> StoredPosition:
    return StoredPosition(offset, topic_id, 0)


def test_positions_come_from_the_table_and_new_partitions_start_at_their_first_record() -> None:
    bounds = {0: Bounds(0, 9), 1: Bounds(4, 9), 2: Bounds(3, 9)}
    assert plan_positions("t", "id", bounds, {0: stored(9), 2: stored(3)}, "rows") == ({0: 9, 1: 4, 2: 3}, {1: 4})


@pytest.mark.parametrize(
    ("position", "says"),
    [
        (stored(5, "other"), "was deleted and created again"),
        (stored(10), "ends at offset 9, but 10 would be next"),
        (stored(1), "offsets 1 to 1 were deleted by retention before they were loaded"),
    ],
)
def test_a_position_that_the_topic_no_longer_has_is_not_guessed_around(position: StoredPosition, says: str) -> None:
    with pytest.raises(PositionLostError, match=says):
        plan_positions("t", "id", {0: Bounds(2, 9)}, {0: position}, "the rows")


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (ProgrammingError(msg="too long", errno=100078, sqlstate="22000"), DataRefusedError),
        (
            ProgrammingError(msg="NULL result in a non-nullable column", errno=100072, sqlstate="22000"),
            DataRefusedError,
        ),
        (ProgrammingError(msg="locked", errno=625, sqlstate="57014"), OutageError),
        (ProgrammingError(msg="no such table", errno=2003, sqlstate="42S02"), OutageError),
        (ProgrammingError(msg="insufficient privileges", errno=3001, sqlstate="42501"), NotAllowedError),
        (OperationalError(msg="no route"), OutageError),
        (DatabaseError(msg="Incorrect username or password was specified.", errno=250001), NotAllowedError),
    ],
)
def test_errors_of_the_connector_are_told_apart(error: Any, ours: type[Exception]) -> None:
    assert type(session_module._translate(error, "load")) is ours


def test_two_loaders_that_create_the_same_table_both_go_on() -> None:
    clash = ProgrammingError(msg="already exists", errno=100078, sqlstate="23000")
    assert type(session_module._translate(clash, "CREATE TABLE IF NOT EXISTS _HEADRACE_OFFSETS")) is OutageError


def test_secrets_come_from_files_and_the_stand_in_needs_none(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("s3cret\n")
    real = SnowflakeConnection(account="a", user="u", warehouse="W", password_file=str(secret))
    arguments = connect_arguments(real, "DB", "p.s")
    assert arguments["password"] == "s3cret"
    assert arguments["warehouse"] == "W"
    assert "proxy" not in arguments
    with pytest.raises(NotAllowedError, match="cannot read Snowflake's password file"):
        connect_arguments(real.model_copy(update={"password_file": str(tmp_path / "none")}), "DB", "p.s")
    stand_in = SnowflakeConnection(account="a", user="u", host="127.0.0.1", port=1, protocol="http")
    assert connect_arguments(stand_in, "DB", "p.s")["proxy"] == ""


def test_a_commit_touches_quiet_partitions_but_none_with_a_letter_about_a_record_to_come() -> None:
    positions = {0: 9, 1: 5, 2: 7, 3: 0}
    written = {(1, 4), (2, 7), (2, 6), (8, 1)}  # 1: of a record before; 2: of the next one; 8: somebody else's now
    assert plan_touched(positions, {0: Span(4, 9)}, written) == {1: Span(5, 5), 3: Span(0, 0)}
