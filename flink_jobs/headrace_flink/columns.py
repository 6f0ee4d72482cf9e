"""What a query gives: its result columns as Flink's planner sees them, as plain values for whoever asked.

The core turns them into a schema, or compares them with one; it knows nothing of Flink's type classes.
"""

from __future__ import annotations

from typing import Any

# Names in job documents (docs/reference/contracts.md): all but the inputs begin with two underscores, among them
# the view of the SELECT, and the tables of outputs.
OURS, RESULT, SINK = "__", "__result", "__sink_"


def columns_of(result: Any) -> list[dict[str, Any]]:
    """Name and type of each column of a table of PyFlink's."""
    return [{"name": name, **type_of(type_)} for name, type_ in _types(result).items()]


def misfits(result: Any, sink: Any) -> tuple[list[str], list[str]]:
    """The sink's columns that the result lacks, and those whose type it does not take, by Flink's own rule.

    Whether a value may be null is no question of types here: the decoder decides it, record by record.
    """
    from pyflink.java_gateway import get_gateway

    casts = get_gateway().jvm.org.apache.flink.table.types.logical.utils.LogicalTypeCasts
    given, taken = _types(result), _types(sink)
    missing = [name for name in taken if name not in given]
    unfit = [
        name
        for name in taken
        if name in given and not casts.supportsImplicitCast(given[name].copy(True), taken[name].copy(True))
    ]
    return missing, unfit


def type_of(type_: Any) -> dict[str, Any]:
    """A logical type: `root` (the name in Flink's LogicalTypeRoot), `sql`, `nullable`, and what it is made of."""
    root = str(type_.getTypeRoot().name())
    told: dict[str, Any] = {
        "root": root,
        "sql": str(type_.copy(True).asSummaryString()),
        "nullable": type_.isNullable(),
    }
    if root == "DECIMAL":
        told |= {"precision": type_.getPrecision(), "scale": type_.getScale()}
    elif root == "ROW":
        fields = ((str(field.getName()), field.getType()) for field in type_.getFields())
        told["fields"] = [{"name": name, **type_of(child)} for name, child in fields]
    elif root in ("ARRAY", "MAP", "MULTISET"):
        told["parts"] = [type_of(child) for child in type_.getChildren()]
    return told


def _types(result: Any) -> dict[str, Any]:
    columns = result._j_table.getResolvedSchema().getColumns()
    return {str(column.getName()): column.getDataType().getLogicalType() for column in columns}
