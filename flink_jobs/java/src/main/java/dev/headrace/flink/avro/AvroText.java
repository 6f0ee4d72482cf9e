package dev.headrace.flink.avro;

import dev.headrace.flink.format.ColumnRules;
import dev.headrace.flink.format.FieldPaths;
import dev.headrace.flink.format.JsonForm;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.avro.LogicalTypes;
import org.apache.avro.Schema;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.types.logical.ArrayType;
import org.apache.flink.table.types.logical.BigIntType;
import org.apache.flink.table.types.logical.BooleanType;
import org.apache.flink.table.types.logical.DateType;
import org.apache.flink.table.types.logical.DecimalType;
import org.apache.flink.table.types.logical.DoubleType;
import org.apache.flink.table.types.logical.LocalZonedTimestampType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.MapType;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.table.types.logical.VarBinaryType;
import org.apache.flink.table.types.logical.VarCharType;

/**
 * The JSON text of a union's branch. A column of JSON text has no columns inside, so here the types are derived from
 * the schema as {@code headrace.core.schema.avro} derives a topic's.
 */
final class AvroText {

    private final JsonForm form;

    private AvroText(JsonForm form) {
        this.form = form;
    }

    static AvroText of(Schema schema) {
        return new AvroText(JsonForm.of(type(schema), "", rules(schema).json()));
    }

    StringData of(Object value) {
        return StringData.fromString(form.text(value));
    }

    /** The paths of the unions inside that are JSON text themselves. */
    static ColumnRules rules(Schema schema) {
        Set<String> texts = new HashSet<>();
        collect(schema, "", texts);
        return new ColumnRules(FieldPaths.parse(""), FieldPaths.of(texts), FieldPaths.parse(""));
    }

    private static void collect(Schema schema, String path, Set<String> texts) {
        switch (schema.getType()) {
            case RECORD:
                schema.getFields().forEach(f -> collect(f.schema(), FieldPaths.field(path, f.name()), texts));
                return;
            case ARRAY:
                collect(schema.getElementType(), FieldPaths.items(path), texts);
                return;
            case MAP:
                collect(schema.getValueType(), FieldPaths.items(path), texts);
                return;
            case UNION:
                List<Schema> others = branches(schema);
                if (others.size() == 1) {
                    collect(others.get(0), path, texts);
                } else {
                    texts.add(path);
                }
                return;
            default:
        }
    }

    private static List<Schema> branches(Schema union) {
        List<Schema> others = new ArrayList<>(union.getTypes());
        others.removeIf(branch -> branch.getType() == Schema.Type.NULL);
        return others;
    }

    static LogicalType type(Schema schema) {
        String logical = schema.getProp("logicalType");
        String name = logical == null ? "" : logical;
        switch (schema.getType()) {
            case RECORD:
                List<RowType.RowField> fields = new ArrayList<>();
                schema.getFields().forEach(f -> fields.add(new RowType.RowField(f.name(), type(f.schema()))));
                return new RowType(fields);
            case ARRAY:
                return new ArrayType(type(schema.getElementType()));
            case MAP:
                return new MapType(VarCharType.STRING_TYPE, type(schema.getValueType()));
            case UNION:
                List<Schema> others = branches(schema);
                return others.size() == 1 ? type(others.get(0)) : VarCharType.STRING_TYPE;
            case INT:
                return name.equals("date")
                        ? new DateType()
                        : name.equals("time-millis") ? VarCharType.STRING_TYPE : new BigIntType();
            case LONG:
                return name.startsWith("timestamp-")
                        ? new LocalZonedTimestampType(3)
                        : name.equals("time-micros") || name.startsWith("local-timestamp-")
                                ? VarCharType.STRING_TYPE
                                : new BigIntType();
            case FLOAT:
            case DOUBLE:
                return new DoubleType();
            case BOOLEAN:
                return new BooleanType();
            case BYTES:
            case FIXED:
                if (schema.getLogicalType() instanceof LogicalTypes.Decimal) {
                    LogicalTypes.Decimal decimal = (LogicalTypes.Decimal) schema.getLogicalType();
                    return new DecimalType(decimal.getPrecision(), decimal.getScale());
                }
                return new VarBinaryType(VarBinaryType.MAX_LENGTH);
            default:
                return VarCharType.STRING_TYPE;
        }
    }
}
