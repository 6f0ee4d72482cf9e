package dev.headrace.flink.avro;

import dev.headrace.flink.format.ColumnRules;
import dev.headrace.flink.format.FieldPaths;
import dev.headrace.flink.format.Unwritable;
import java.io.IOException;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;
import org.apache.avro.LogicalTypes;
import org.apache.avro.Schema;
import org.apache.avro.io.Encoder;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.data.ArrayData;
import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.data.MapData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.types.logical.ArrayType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.LogicalTypeRoot;
import org.apache.flink.table.types.logical.MapType;
import org.apache.flink.table.types.logical.RowType;

/** Makes the writers of a schema's types, the mirror of {@link AvroReaders}. */
final class AvroWriters {

    private final ColumnRules rules;

    AvroWriters(ColumnRules rules) {
        this.rules = rules;
    }

    AvroWriter of(Schema schema, LogicalType type, String path) {
        if (schema.getType() == Schema.Type.UNION) {
            return union(schema, type, path);
        }
        AvroWriter writer = single(schema, type, path);
        return (value, out) -> {
            if (value == null) {
                throw Unwritable.at(path, "is null, which its schema does not allow");
            }
            writer.write(value, out);
        };
    }

    private AvroWriter union(Schema union, LogicalType type, String path) {
        int nothing = -1;
        int branch = -1;
        for (int i = 0; i < union.getTypes().size(); i++) {
            if (union.getTypes().get(i).getType() == Schema.Type.NULL) {
                nothing = i;
            } else {
                branch = i;
            }
        }
        int nullAt = nothing;
        int valueAt = branch;
        AvroWriter writer =
                rules.json().contains(path)
                        ? (value, out) -> AvroFromText.write(union, value.toString(), path, out)
                        : indexed(valueAt, single(union.getTypes().get(valueAt), type, path));
        return (value, out) -> {
            if (value != null) {
                writer.write(value, out);
            } else if (nullAt >= 0) {
                out.writeIndex(nullAt);
            } else {
                throw Unwritable.at(path, "is null, which its schema does not allow");
            }
        };
    }

    private static AvroWriter indexed(int index, AvroWriter writer) {
        return (value, out) -> {
            out.writeIndex(index);
            writer.write(value, out);
        };
    }

    private AvroWriter single(Schema schema, LogicalType type, String path) {
        switch (schema.getType()) {
            case RECORD:
                AvroReaders.demand(type, LogicalTypeRoot.ROW, path);
                return record(schema, (RowType) type, path);
            case ARRAY:
                AvroReaders.demand(type, LogicalTypeRoot.ARRAY, path);
                return array(schema, (ArrayType) type, FieldPaths.items(path));
            case MAP:
                AvroReaders.demand(type, LogicalTypeRoot.MAP, path);
                return map(schema, (MapType) type, FieldPaths.items(path));
            case ENUM:
                return (value, out) -> {
                    String symbol = value.toString();
                    if (!schema.hasEnumSymbol(symbol)) {
                        throw Unwritable.at(path, "is '" + symbol + "', which is no symbol of its enum");
                    }
                    out.writeEnum(schema.getEnumOrdinal(symbol));
                };
            case STRING:
                return (value, out) -> out.writeString(value.toString());
            case BOOLEAN:
                return (value, out) -> out.writeBoolean((boolean) value);
            case FLOAT:
                return (value, out) -> out.writeFloat((float) (double) value);
            case DOUBLE:
                return (value, out) -> out.writeDouble((double) value);
            case INT:
                return (value, out) -> out.writeInt(narrow(whole(schema, value, path), path));
            case LONG:
                return (value, out) -> out.writeLong(whole(schema, value, path));
            case BYTES:
            case FIXED:
                return (value, out) -> bytes(schema, value, path, out);
            default:
                throw new ValidationException("headrace-avro: `" + path + "` is of no type that can be written");
        }
    }

    /** The number of a value that is one, or that means a time. */
    private static long whole(Schema schema, Object value, String path) {
        try {
            if (value instanceof TimestampData) {
                long millis = ((TimestampData) value).getMillisecond();
                return Math.multiplyExact(millis, Ticks.perSecond(schema) / 1000);
            }
            if (value instanceof Number) {
                return ((Number) value).longValue();
            }
            return Ticks.of(schema, value.toString());
        } catch (ArithmeticException | java.time.DateTimeException e) {
            throw Unwritable.at(path, "is '" + value + "', which is no value of " + schema);
        }
    }

    private static int narrow(long value, String path) {
        if (value != (int) value) {
            throw Unwritable.at(path, "is " + value + ", more than its 32 bits hold");
        }
        return (int) value;
    }

    static void bytes(Schema schema, Object value, String path, Encoder out) throws IOException {
        boolean fixed = schema.getType() == Schema.Type.FIXED;
        byte[] bytes;
        if (value instanceof DecimalData) {
            int scale = ((LogicalTypes.Decimal) schema.getLogicalType()).getScale();
            BigDecimal decimal = ((DecimalData) value).toBigDecimal().setScale(scale);
            bytes = decimal.unscaledValue().toByteArray();
            if (fixed && bytes.length < schema.getFixedSize()) {
                byte[] wide = new byte[schema.getFixedSize()];
                java.util.Arrays.fill(wide, (byte) (decimal.signum() < 0 ? -1 : 0));
                System.arraycopy(bytes, 0, wide, wide.length - bytes.length, bytes.length);
                bytes = wide;
            }
        } else {
            bytes = (byte[]) value;
        }
        if (!fixed) {
            out.writeBytes(bytes);
        } else if (bytes.length == schema.getFixedSize()) {
            out.writeFixed(bytes);
        } else {
            throw Unwritable.at(path, "has " + bytes.length + " bytes, not the " + schema.getFixedSize() + " of its type");
        }
    }

    private AvroWriter record(Schema schema, RowType columns, String path) {
        List<AvroWriter> writers = new ArrayList<>();
        List<RowData.FieldGetter> getters = new ArrayList<>();
        for (Schema.Field field : schema.getFields()) {
            int at = columns.getFieldIndex(field.name());
            if (at < 0) {
                throw new ValidationException("headrace-avro: the table has no column for the field `" + field.name() + "`");
            }
            writers.add(of(field.schema(), columns.getTypeAt(at), FieldPaths.field(path, field.name())));
            getters.add(RowData.createFieldGetter(columns.getTypeAt(at), at));
        }
        return (value, out) -> {
            for (int i = 0; i < writers.size(); i++) {
                writers.get(i).write(getters.get(i).getFieldOrNull((RowData) value), out);
            }
        };
    }

    private AvroWriter array(Schema schema, ArrayType type, String path) {
        AvroWriter items = of(schema.getElementType(), type.getElementType(), path);
        ArrayData.ElementGetter getter = ArrayData.createElementGetter(type.getElementType());
        return (value, out) -> {
            ArrayData array = (ArrayData) value;
            out.writeArrayStart();
            out.setItemCount(array.size());
            for (int i = 0; i < array.size(); i++) {
                out.startItem();
                items.write(getter.getElementOrNull(array, i), out);
            }
            out.writeArrayEnd();
        };
    }

    private AvroWriter map(Schema schema, MapType type, String path) {
        AvroWriter values = of(schema.getValueType(), type.getValueType(), path);
        ArrayData.ElementGetter getter = ArrayData.createElementGetter(type.getValueType());
        return (value, out) -> {
            ArrayData keys = ((MapData) value).keyArray();
            ArrayData held = ((MapData) value).valueArray();
            out.writeMapStart();
            out.setItemCount(keys.size());
            for (int i = 0; i < keys.size(); i++) {
                out.startItem();
                out.writeString(keys.getString(i).toString());
                values.write(getter.getElementOrNull(held, i), out);
            }
            out.writeMapEnd();
        };
    }
}
