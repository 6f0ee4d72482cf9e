"""Schemas from queries, and complaints at the manifest's own lines; with Flink's answers on paper."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core.columns import BIGINT, BOOLEAN, BYTES, DATE, DOUBLE, STRING, TIMESTAMP, Column, ColumnType, Kind
from headrace.core.inference import load_for_inference
from headrace.core.manifest import Document, parse_yaml
from headrace.core.pipeline import Pipeline
from headrace.core.schema import read_schema
from headrace.core.schema_text import Format, NoSuchTypeError, result_columns, schema_text
from headrace.core.sql.query import query_statements
from headrace.local.offline import check_jobs, infer_schema
from headrace.local.planner import Planner

pytestmark = pytest.mark.anyio

MANIFEST = """\
apiVersion: headrace.dev/v1alpha1
kind: StreamPipeline
metadata: {name: shop}
spec:
  topics:
    - name: orders
      keyFields: [customer]
      eventTime: {field: at, outOfOrderness: 1s}
      schema:
        definition: |
          {"type": "object", "required": ["customer", "at"], "properties": {
            "customer": {"type": "string"}, "amount": {"type": "number"}, "at": {"type": "string", "format": "date-time"},
            "lines": {"type": "array", "items": {"type": "object", "required": ["sku"], "properties": {
              "sku": {"type": "string"}, "note": {"type": "string"}}}}}}
    - name: totals
      keyFields: [customer]
  jobs:
    - name: totals
      inputs: [orders]
      output: totals
      sql: |

        SELECT customer,
          SUM(amuont) AS total
        FROM orders GROUP BY customer
"""


@pytest.fixture
def shop() -> Pipeline:
    (found,) = load_for_inference(MANIFEST, "pipeline.yaml")
    assert isinstance(found, Pipeline), found
    return found


class PaperPlanner:
    def __init__(self, answer: dict[str, Any]) -> None:
        self.answer = answer
        self.asked: list[Any] = []

    async def check(self, document: Any) -> dict[str, Any]:
        self.asked.append(document)
        return self.answer

    async def describe(self, statements: Any, config: Any) -> dict[str, Any]:
        self.asked.append(statements)
        return self.answer


def planner(**answer: Any) -> Planner:
    return cast("Planner", PaperPlanner(answer))


def test_an_output_without_a_schema_is_filled_in_for_inference_alone() -> None:
    missing = MANIFEST.replace(
        "totals\n      keyFields: [customer]\n  jobs", "totals\n      keyField: [customer]\n  jobs"
    )
    (problem,) = load_for_inference(missing, "pipeline.yaml")
    assert "did you mean 'keyFields'?" in str(problem)  # everything else is checked as ever


def test_a_query_is_described_over_inputs_whose_required_fields_are_never_null(shop: Pipeline) -> None:
    table, view = query_statements(shop.jobs[0], shop)
    assert "`customer` STRING NOT NULL" in table
    assert "`amount` DOUBLE,\n" in table
    assert "`lines` ARRAY<ROW<`sku` STRING NOT NULL, `note` STRING> NOT NULL>" in table
    assert "WATERMARK FOR `at`" in table
    assert view.startswith("CREATE TEMPORARY VIEW `__result` AS\nSELECT customer,")


async def test_a_complaint_has_the_line_and_column_of_the_manifest(shop: Pipeline) -> None:
    (document,) = parse_yaml(MANIFEST, "pipeline.yaml")
    assert isinstance(document, Document)
    statement = f"CREATE TEMPORARY VIEW `__result` AS\n{shop.jobs[0].sql}"
    error = {
        "message": "Column 'amuont' not found in any table", "line": 3, "column": 7, "statement": statement,
        "known": ["customer", "amount"],
    }  # fmt: skip
    (problem,) = await check_jobs(planner(error=error), shop, document, MANIFEST)
    line = MANIFEST.splitlines()[(problem.line or 0) - 1]
    assert line[(problem.column or 0) - 1 :].startswith("amuont")
    assert str(problem) == (
        "pipeline.yaml:24:15: spec.jobs[0].sql: there is no column 'amuont' here (did you mean 'amount'?)"
    )


async def test_what_has_no_place_in_the_sql_stands_at_the_sql(shop: Pipeline) -> None:
    (document,) = parse_yaml(MANIFEST, "pipeline.yaml")
    assert isinstance(document, Document)
    answer = {"columns": [], "output": [], "missing": ["customer"], "unfit": []}
    (problem,) = await check_jobs(planner(**answer), shop, document, MANIFEST)
    assert (problem.line, problem.column) == (21, 7)


async def test_a_schema_is_inferred_from_what_the_planner_tells(shop: Pipeline) -> None:
    told = [
        {"name": "customer", "root": "VARCHAR", "sql": "STRING", "nullable": False},
        {"name": "total", "root": "DOUBLE", "sql": "DOUBLE", "nullable": True},
    ]
    text, complaints = await infer_schema(planner(columns=told), shop, shop.jobs[0], "Protobuf")
    assert complaints == ()
    assert text == 'syntax = "proto3";\n\nmessage Totals {\n  string customer = 1;\n  optional double total = 2;\n}\n'


async def test_a_query_that_is_refused_has_no_schema(shop: Pipeline) -> None:
    text, complaints = await infer_schema(planner(error={"message": "no such function"}), shop, shop.jobs[0], "JSON")
    assert (text, [str(complaint) for complaint in complaints]) == ("", ["no such function"])


def test_a_type_that_no_record_carries_is_refused_with_what_to_write() -> None:
    told = [{"name": "bag", "root": "MULTISET", "sql": "MULTISET<STRING>", "nullable": False}]
    with pytest.raises(NoSuchTypeError, match="column 'bag' is MULTISET<STRING>"):
        result_columns(told)
    with pytest.raises(NoSuchTypeError, match="TO_BASE64"):
        schema_text([Column(name="b", type=BYTES)], "JSON", "t")
    with pytest.raises(NoSuchTypeError, match="CAST it AS STRING"):
        schema_text([Column(name="d", type=DATE)], "Protobuf", "t")


SINGLE = {
    "JSON": [STRING, BIGINT, DOUBLE, BOOLEAN, TIMESTAMP, DATE],
    "Avro": [
        STRING,
        BIGINT,
        DOUBLE,
        BOOLEAN,
        TIMESTAMP,
        DATE,
        BYTES,
        ColumnType(kind=Kind.DECIMAL, precision=9, scale=2),
    ],
    "Protobuf": [STRING, BIGINT, DOUBLE, BOOLEAN, TIMESTAMP, BYTES],
}


def columns_for(format_: Format) -> st.SearchStrategy[list[Column]]:
    singles = st.sampled_from(SINGLE[format_])
    names = st.sampled_from(["a", "b_c", "d1", "e", "f"])

    def rows(types: st.SearchStrategy[ColumnType]) -> st.SearchStrategy[list[Column]]:
        column = st.builds(Column, name=names, type=types, required=st.booleans())
        return st.lists(column, min_size=1, max_size=4, unique_by=lambda c: c.name)

    row = rows(singles).map(lambda columns: ColumnType(kind=Kind.ROW, fields=tuple(columns)))
    inside = st.one_of(singles, row)
    array = inside.map(lambda type_: ColumnType(kind=Kind.ARRAY, element=type_))
    mapping = inside.map(lambda type_: ColumnType(kind=Kind.MAP, value=type_))
    return rows(st.one_of(singles, row, array, mapping))


def meant(columns: tuple[Column, ...], format_: Format) -> list[tuple[str, str, bool]]:
    """Names, types and what is required; in Protobuf what repeats is never null, and a message always may be."""

    def required(column: Column) -> bool:
        if format_ != "Protobuf":
            return column.required
        return column.type.kind in (Kind.ARRAY, Kind.MAP) or (
            column.required and column.type.kind not in (Kind.ROW, Kind.TIMESTAMP)
        )

    return [(column.name, column.type.sql, required(column)) for column in columns]


@pytest.mark.parametrize("format_", ["JSON", "Avro", "Protobuf"])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_what_is_written_is_read_back_as_the_same_columns(format_: Format, data: st.DataObject) -> None:
    columns = data.draw(columns_for(format_))
    read = read_schema(format_, schema_text(columns, format_, "page_views"), message=None, event_time=None, needed=())
    assert meant(read.columns, format_) == meant(tuple(columns), format_)
