package dev.headrace.flink.avro;

import dev.headrace.flink.format.Malformed;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.avro.Schema;

/** Passes over what a writer has and the topic's schema does not; its bytes must be there all the same. */
final class AvroSkipper implements AvroReader {

    /** A writer's type may contain itself; bytes must not lead into a stack overflow. */
    private static final int MAX_DEPTH = 200;

    private final Schema schema;
    private final Map<Schema, Integer> smallest = new IdentityHashMap<>();

    private AvroSkipper(Schema schema) {
        this.schema = schema;
    }

    static AvroSkipper of(Schema schema) {
        return new AvroSkipper(schema);
    }

    @Override
    public Object read(AvroBytes in) throws Malformed {
        skip(in, schema, 0);
        return null;
    }

    private void skip(AvroBytes in, Schema type, int depth) throws Malformed {
        if (depth > MAX_DEPTH) {
            throw new Malformed(": is nested too deeply");
        }
        switch (type.getType()) {
            case NULL:
                return;
            case BOOLEAN:
                in.readBoolean();
                return;
            case INT:
                in.readInt();
                return;
            case LONG:
                in.readLong();
                return;
            case FLOAT:
                in.take(Float.BYTES);
                return;
            case DOUBLE:
                in.take(Double.BYTES);
                return;
            case STRING:
            case BYTES:
                in.take(in.readLong());
                return;
            case FIXED:
                in.take(type.getFixedSize());
                return;
            case ENUM:
                in.readIndex(type.getEnumSymbols().size(), "symbol");
                return;
            case UNION:
                List<Schema> branches = type.getTypes();
                skip(in, branches.get(in.readIndex(branches.size(), "branch")), depth + 1);
                return;
            case RECORD:
                for (Schema.Field field : type.getFields()) {
                    skip(in, field.schema(), depth + 1);
                }
                return;
            default:
                skipItems(in, type, depth);
        }
    }

    private void skipItems(AvroBytes in, Schema type, int depth) throws Malformed {
        boolean map = type.getType() == Schema.Type.MAP;
        Schema items = map ? type.getValueType() : type.getElementType();
        int bytes = (map ? 1 : 0) + smallest.computeIfAbsent(items, AvroSkipper::smallest);
        for (int count; (count = in.readBlock(bytes)) > 0; ) {
            for (; count > 0; count--) {
                if (map) {
                    in.take(in.readLong());
                }
                skip(in, items, depth + 1);
            }
        }
    }

    /** Bytes that a value of the type has at least: it bounds how many of them a record can hold. */
    static int smallest(Schema type) {
        return smallest(type, new HashSet<>());
    }

    private static int smallest(Schema type, Set<String> inside) {
        switch (type.getType()) {
            case NULL:
                return 0;
            case FLOAT:
                return Float.BYTES;
            case DOUBLE:
                return Double.BYTES;
            case FIXED:
                return type.getFixedSize();
            case RECORD:
                int sum = 0;
                if (inside.add(type.getFullName())) {
                    for (Schema.Field field : type.getFields()) {
                        sum = Math.min(sum + smallest(field.schema(), inside), 1 << 20);
                    }
                    inside.remove(type.getFullName());
                }
                return sum;
            default:
                return 1;
        }
    }
}
