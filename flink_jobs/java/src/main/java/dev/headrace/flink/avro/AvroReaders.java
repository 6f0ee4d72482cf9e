package dev.headrace.flink.avro;

import dev.headrace.flink.format.ColumnRules;
import dev.headrace.flink.format.FieldPaths;
import dev.headrace.flink.format.Malformed;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.avro.Resolver;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.data.GenericArrayData;
import org.apache.flink.table.data.GenericMapData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.types.logical.ArrayType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.LogicalTypeRoot;
import org.apache.flink.table.types.logical.MapType;
import org.apache.flink.table.types.logical.RowType;

/**
 * Makes the readers of one writer's schema. Avro's own {@link Resolver} says how the two schemas meet; every step of
 * its plan becomes a reader that puts bytes straight into columns, without a generic record in between.
 */
final class AvroReaders {

    private final ColumnRules rules;

    AvroReaders(ColumnRules rules) {
        this.rules = rules;
    }

    /** Why this step of Avro's plan is none. */
    static String reason(Resolver.Action action) {
        return action instanceof Resolver.ErrorAction
                ? action.toString()
                : "a " + action.writer.getType().getName() + " is no " + action.reader.getType().getName();
    }

    AvroRecord record(Resolver.Action action, RowType columns, String path) {
        Resolver.RecordAdjust adjust = (Resolver.RecordAdjust) action;
        List<Schema.Field> written = action.writer.getFields();
        Schema.Field[] order = adjust.readerOrder;
        AvroReader[] readers = new AvroReader[written.size()];
        String[] names = new String[readers.length];
        int[] targets = new int[readers.length];
        boolean[] required = new boolean[readers.length];
        int read = 0;
        for (int i = 0; i < readers.length; i++) {
            Resolver.Action step = adjust.fieldActions[i];
            names[i] = written.get(i).name();
            targets[i] = AvroRecord.NOWHERE;
            if (!(step instanceof Resolver.Skip)) {
                names[i] = order[read++].name();
                targets[i] = columns.getFieldIndex(names[i]);
            }
            if (targets[i] == AvroRecord.NOWHERE) {
                readers[i] = AvroSkipper.of(written.get(i).schema());
                continue;
            }
            String field = FieldPaths.field(path, names[i]);
            required[i] = rules.required().contains(field);
            readers[i] = value(step, columns.getTypeAt(targets[i]), field);
        }
        Object[] defaults = new Object[columns.getFieldCount()];
        for (int i = adjust.firstDefault; i < order.length; i++) {
            int target = columns.getFieldIndex(order[i].name());
            if (target != AvroRecord.NOWHERE) {
                String field = FieldPaths.field(path, order[i].name());
                Object value = adjust.defaults[i - adjust.firstDefault];
                defaults[target] = constant(order[i].schema(), value, columns.getTypeAt(target), field);
                if (defaults[target] == null && rules.required().contains(field)) {
                    // A writer without a field that a key or an event time needs: no record of it can be a row.
                    return refusing(order[i].name(), columns);
                }
            }
        }
        for (String name : columns.getFieldNames()) {
            if (action.reader.getField(name) == null) {
                throw new ValidationException("headrace-avro: the schema has no field for the column `" + name + "`");
            }
        }
        return new AvroRecord(names, readers, targets, required, defaults);
    }

    private static AvroRecord refusing(String field, RowType columns) {
        AvroReader refuse =
                in -> {
                    throw new Malformed(": is missing, but required");
                };
        return new AvroRecord(
                new String[] {field}, new AvroReader[] {refuse}, new int[1], new boolean[1],
                new Object[columns.getFieldCount()]);
    }

    /** A value of a column: JSON text where the column is one, else of the column's type. */
    private AvroReader value(Resolver.Action action, LogicalType type, String path) {
        return branch(action, type, path, rules.json().contains(path));
    }

    private AvroReader branch(Resolver.Action action, LogicalType type, String path, boolean text) {
        if (action instanceof Resolver.WriterUnion) {
            Resolver.Action[] steps = ((Resolver.WriterUnion) action).actions;
            AvroReader[] branches = new AvroReader[steps.length];
            for (int i = 0; i < steps.length; i++) {
                branches[i] = branch(steps[i], type, path, text);
            }
            return in -> branches[in.readIndex(branches.length, "branch")].read(in);
        }
        if (action instanceof Resolver.ReaderUnion) {
            return branch(((Resolver.ReaderUnion) action).actualAction, type, path, text);
        }
        if (action instanceof Resolver.ErrorAction) {
            Malformed malformed = new Malformed(": the writer's schema cannot be resolved: " + reason(action));
            return in -> {
                throw malformed;
            };
        }
        if (action.reader.getType() == Schema.Type.NULL) {
            return in -> null;
        }
        if (!text) {
            return single(action, type, path);
        }
        // A branch has columns of its own inside the text, so the table's rules do not reach there.
        Schema schema = action.reader;
        AvroReaders inner = new AvroReaders(AvroText.rules(schema));
        AvroReader reader = inner.single(action, AvroText.type(schema), "");
        AvroText form = AvroText.of(schema);
        return in -> form.of(reader.read(in));
    }

    private AvroReader single(Resolver.Action action, LogicalType type, String path) {
        Schema written = action.writer;
        Schema read = action.reader;
        switch (read.getType()) {
            case RECORD:
                demand(type, LogicalTypeRoot.ROW, path);
                return record(action, (RowType) type, path);
            case ARRAY:
                demand(type, LogicalTypeRoot.ARRAY, path);
                return array((Resolver.Container) action, (ArrayType) type, FieldPaths.items(path));
            case MAP:
                demand(type, LogicalTypeRoot.MAP, path);
                return map((Resolver.Container) action, (MapType) type, FieldPaths.items(path));
            case ENUM:
                demand(type, LogicalTypeRoot.VARCHAR, path);
                return symbols((Resolver.EnumAdjust) action);
            default:
                return AvroValues.reader(written, read, type, rules.epochMillis().contains(path), path);
        }
    }

    static void demand(LogicalType type, LogicalTypeRoot root, String path) {
        if (type.getTypeRoot() != root) {
            throw new ValidationException(
                    "headrace-avro: the schema's type for `" + path + "` is " + root + ", the column's is "
                            + type.asSummaryString());
        }
    }

    private AvroReader array(Resolver.Container action, ArrayType type, String path) {
        AvroReader items = value(action.elementAction, type.getElementType(), path);
        boolean nulls = rules.json().contains(path);
        int smallest = AvroSkipper.smallest(action.writer.getElementType());
        return in -> {
            List<Object> values = new ArrayList<>();
            for (int count; (count = in.readBlock(smallest)) > 0; ) {
                for (; count > 0; count--) {
                    try {
                        values.add(item(items.read(in), nulls));
                    } catch (Malformed malformed) {
                        throw malformed.inside("[" + values.size() + "]");
                    }
                }
            }
            return new GenericArrayData(values.toArray());
        };
    }

    private AvroReader map(Resolver.Container action, MapType type, String path) {
        AvroReader values = value(action.elementAction, type.getValueType(), path);
        boolean nulls = rules.json().contains(path);
        int smallest = 1 + AvroSkipper.smallest(action.writer.getValueType());
        return in -> {
            Map<StringData, Object> map = new HashMap<>();
            for (int count; (count = in.readBlock(smallest)) > 0; ) {
                for (; count > 0; count--) {
                    StringData key = AvroValues.text(in);
                    try {
                        map.put(key, item(values.read(in), nulls));
                    } catch (Malformed malformed) {
                        throw malformed.inside(key.toString());
                    }
                }
            }
            return new GenericMapData(map);
        };
    }

    private static Object item(Object value, boolean nulls) throws Malformed {
        if (value == null && !nulls) {
            throw new Malformed(": is null");
        }
        return value;
    }

    private static AvroReader symbols(Resolver.EnumAdjust action) {
        List<String> written = action.writer.getEnumSymbols();
        List<String> read = action.reader.getEnumSymbols();
        StringData[] symbols = new StringData[written.size()];
        for (int i = 0; i < symbols.length; i++) {
            int index = action.adjustments[i];
            symbols[i] = index < 0 || index >= read.size() ? null : shared(read.get(index));
        }
        return in -> {
            int index = in.readIndex(symbols.length, "symbol");
            if (symbols[index] == null) {
                throw new Malformed(": is " + written.get(index) + ", which the topic's schema does not have");
            }
            return symbols[index];
        };
    }

    private static StringData shared(String symbol) {
        StringData data = StringData.fromString(symbol);
        // Encoded now: one object serves all rows.
        data.toBytes();
        return data;
    }

    /** A default: written by Avro's own writer and read like any value, so that both always look alike. */
    private Object constant(Schema schema, Object value, LogicalType type, String path) {
        try {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(bytes, null);
            new GenericDatumWriter<>(schema, new GenericData()).write(value, encoder);
            encoder.flush();
            return value(Resolver.resolve(schema, schema), type, path).read(new AvroBytes(bytes.toByteArray(), 0));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (Malformed e) {
            throw new ValidationException("headrace-avro: the default of `" + path + "` is no value" + e.getMessage());
        }
    }
}
