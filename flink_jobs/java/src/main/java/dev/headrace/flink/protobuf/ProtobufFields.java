package dev.headrace.flink.protobuf;

import com.google.protobuf.CodedInputStream;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.WireFormat;
import dev.headrace.flink.format.ColumnRules;
import dev.headrace.flink.format.FieldPaths;
import dev.headrace.flink.format.Malformed;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.data.GenericArrayData;
import org.apache.flink.table.data.GenericMapData;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.types.logical.ArrayType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.LogicalTypeRoot;
import org.apache.flink.table.types.logical.MapType;
import org.apache.flink.table.types.logical.RowType;

/** The column of each kind of field (docs/reference/contracts.md, "Protobuf"). */
final class ProtobufFields {

    private ProtobufFields() {}

    static FieldColumn column(FieldDescriptor field, LogicalType type, String path, ColumnRules rules) {
        if (field.isMapField()) {
            demand(field, type, LogicalTypeRoot.MAP);
            return new Entries(field, (MapType) type, FieldPaths.items(path), rules);
        }
        if (field.isRepeated()) {
            demand(field, type, LogicalTypeRoot.ARRAY);
            return new Items(field, ((ArrayType) type).getElementType(), FieldPaths.items(path), rules);
        }
        return single(field, type, path, rules);
    }

    private static FieldColumn single(FieldDescriptor field, LogicalType type, String path, ColumnRules rules) {
        if (field.getType() == FieldDescriptor.Type.GROUP) {
            throw new ValidationException("headrace-protobuf: " + field.getFullName() + " is a group");
        }
        if (field.getType() != FieldDescriptor.Type.MESSAGE) {
            return new Scalar(field, type, rules.epochMillis().contains(path));
        }
        FieldColumn known = WellKnown.of(field, type);
        if (known != null) {
            return known;
        }
        demand(field, type, LogicalTypeRoot.ROW);
        return new Nested(field, MessageReader.of(field.getMessageType(), (RowType) type, path, rules));
    }

    static void demand(FieldDescriptor field, LogicalType type, LogicalTypeRoot root) {
        if (type.getTypeRoot() != root) {
            throw new ValidationException(
                    "headrace-protobuf: " + field.getFullName() + " is " + root + ", its column " + type.asSummaryString());
        }
    }

    /** The tag's wire type must be the field's: bytes of another kind are no value of it. */
    static void demand(int tag, int wireType) throws Malformed {
        if (WireFormat.getTagWireType(tag) != wireType) {
            throw new Malformed(
                    ": has the wire type " + WireFormat.getTagWireType(tag) + ", not " + wireType);
        }
    }

    /** Numbers, booleans, text, bytes and enums. */
    private static final class Scalar extends FieldColumn {
        private final int wireType;
        private final Scalars.Reader reader;
        private final Object absent;

        Scalar(FieldDescriptor field, LogicalType type, boolean epochMillis) {
            this.wireType = field.getLiteType().getWireType();
            this.reader = Scalars.of(field, type, epochMillis);
            this.absent = field.hasPresence() ? null : Scalars.zero(field, type);
        }

        @Override
        Object absent() {
            return absent;
        }

        @Override
        Object read(CodedInputStream in, int tag, Object before) throws IOException, Malformed {
            demand(tag, wireType);
            return reader.read(in);
        }
    }

    private static final class Nested extends FieldColumn {
        private final MessageReader reader;

        Nested(FieldDescriptor field, MessageReader reader) {
            this.reader = reader;
        }

        @Override
        Object absent() {
            return null;
        }

        @Override
        Object read(CodedInputStream in, int tag, Object before) throws IOException, Malformed {
            demand(tag, WireFormat.WIRETYPE_LENGTH_DELIMITED);
            return reader.read(in, before);
        }

        @Override
        boolean isUnfinished() {
            return true;
        }

        @Override
        Object finish(Object value) throws Malformed {
            reader.finish((GenericRowData) value);
            return value;
        }
    }

    /** A repeated field: one value per tag, or, of numbers, many behind one. */
    private static final class Items extends FieldColumn {
        private static final GenericArrayData NONE = new GenericArrayData(new Object[0]);

        private final FieldColumn item;
        private final int wireType;
        private final boolean packable;

        Items(FieldDescriptor field, LogicalType type, String path, ColumnRules rules) {
            this.item = single(field, type, path, rules);
            this.wireType = field.getLiteType().getWireType();
            this.packable = field.isPackable();
        }

        @Override
        Object absent() {
            return NONE;
        }

        @Override
        @SuppressWarnings("unchecked")
        Object read(CodedInputStream in, int tag, Object before) throws IOException, Malformed {
            List<Object> items = before instanceof List ? (List<Object>) before : new ArrayList<>();
            try {
                if (packable && WireFormat.getTagWireType(tag) == WireFormat.WIRETYPE_LENGTH_DELIMITED) {
                    int outer = in.pushLimit(in.readRawVarint32());
                    int each = WireFormat.getTagFieldNumber(tag) << 3 | wireType;
                    while (in.getBytesUntilLimit() > 0) {
                        items.add(item.read(in, each, null));
                    }
                    in.popLimit(outer);
                } else {
                    items.add(item.finish(item.read(in, tag, null)));
                }
            } catch (Malformed malformed) {
                throw malformed.inside("[" + items.size() + "]");
            }
            return items;
        }

        @Override
        boolean isUnfinished() {
            return true;
        }

        @Override
        Object finish(Object value) {
            return value instanceof List ? new GenericArrayData(((List<?>) value).toArray()) : value;
        }
    }

    /** A map: a message of key and value per tag; the last of a key counts. */
    private static final class Entries extends FieldColumn {
        private static final GenericMapData NONE = new GenericMapData(Map.of());

        private final int keyTag;

        private final int valueTag;
        private final Scalars.Reader key;
        private final Object noKey;
        private final FieldColumn value;
        private final FieldDescriptor valueField;
        private final LogicalType valueType;

        Entries(FieldDescriptor field, MapType type, String path, ColumnRules rules) {
            FieldDescriptor keyField = field.getMessageType().findFieldByNumber(1);
            this.keyTag = 1 << 3 | keyField.getLiteType().getWireType();
            this.key = Scalars.key(keyField);
            this.noKey = Scalars.zeroKey(keyField);
            this.valueField = field.getMessageType().findFieldByNumber(2);
            this.valueTag = 2 << 3 | valueField.getLiteType().getWireType();
            this.valueType = type.getValueType();
            this.value = single(valueField, valueType, path, rules);
        }

        @Override
        Object absent() {
            return NONE;
        }

        @Override
        @SuppressWarnings("unchecked")
        Object read(CodedInputStream in, int tag, Object before) throws IOException, Malformed {
            demand(tag, WireFormat.WIRETYPE_LENGTH_DELIMITED);
            Map<StringData, Object> map = before instanceof Map ? (Map<StringData, Object>) before : new HashMap<>();
            Object name = noKey;
            Object held = null;
            int outer = in.pushLimit(in.readRawVarint32());
            for (int part; (part = in.readTag()) != 0; ) {
                if (part == keyTag) {
                    name = key.read(in);
                } else if (part == valueTag) {
                    try {
                        held = value.read(in, part, held);
                    } catch (Malformed malformed) {
                        throw malformed.inside(name.toString());
                    }
                } else {
                    // Protobuf's own libraries set such an entry aside; it would vanish from the map.
                    throw new Malformed(": has an entry with a field " + WireFormat.getTagFieldNumber(part)
                            + " of another type than in the topic's schema");
                }
            }
            in.popLimit(outer);
            if (held == null) {
                held = valueField.getType() == FieldDescriptor.Type.MESSAGE
                        ? value.read(CodedInputStream.newInstance(new byte[1]), EMPTY, null)
                        : Scalars.zero(valueField, valueType);
            }
            map.put((StringData) name, value.finish(held));
            return map;
        }

        /** The tag of field 1 with a length: of a message, which then has no bytes. */
        private static final int EMPTY = 1 << 3 | WireFormat.WIRETYPE_LENGTH_DELIMITED;

        @Override
        boolean isUnfinished() {
            return true;
        }

        @Override
        Object finish(Object value) {
            return value instanceof Map ? new GenericMapData((Map<?, ?>) value) : value;
        }
    }
}
