package dev.headrace.flink.format;

import java.io.Serializable;

/**
 * What SQL types do not say of a table's columns.
 *
 * @param required fields that must be present and not null
 * @param json STRING columns that hold the JSON text of any value
 * @param epochMillis TIMESTAMP_LTZ columns written as epoch milliseconds
 */
public record ColumnRules(FieldPaths required, FieldPaths json, FieldPaths epochMillis) implements Serializable {}
