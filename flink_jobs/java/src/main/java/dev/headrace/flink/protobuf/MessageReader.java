package dev.headrace.flink.protobuf;

import com.google.protobuf.CodedInputStream;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Descriptors.OneofDescriptor;
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
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.types.logical.RowType;

/**
 * Reads a message's fields into a row. Fields that the schema does not name are passed over, as Protobuf asks.
 *
 * <p>While a message is read, a repeated field or a map holds a collection; {@link #finish} makes Flink's form of it.
 */
final class MessageReader {

    private static final int MAX_DIRECT = 512;

    private final List<Field> fields = new ArrayList<>();

    /** By field number; others are in the map, so that a file with the number 536870911 costs no array of that size. */
    private final Field[] direct;

    private final Map<Integer, Field> others = new HashMap<>();
    private final int arity;

    private MessageReader(Descriptor message, RowType columns, String path, ColumnRules rules) {
        this.arity = columns.getFieldCount();
        int largest = 0;
        for (int i = 0; i < arity; i++) {
            String name = columns.getFieldNames().get(i);
            FieldDescriptor descriptor = message.findFieldByName(name);
            if (descriptor == null) {
                throw new ValidationException(
                        "headrace-protobuf: " + message.getFullName() + " has no field for the column `" + name + "`");
            }
            String at = FieldPaths.field(path, name);
            Field field = new Field(descriptor, i, rules.required().contains(at),
                    ProtobufFields.column(descriptor, columns.getTypeAt(i), at, rules));
            fields.add(field);
            others.put(descriptor.getNumber(), field);
            largest = Math.max(largest, descriptor.getNumber());
        }
        this.direct = new Field[Math.min(largest, MAX_DIRECT) + 1];
        for (Field field : fields) {
            if (field.number < direct.length) {
                direct[field.number] = field;
            }
            OneofDescriptor oneof = field.descriptor.getRealContainingOneof();
            if (oneof != null) {
                field.rivals = fields.stream()
                        .filter(f -> f != field && f.descriptor.getRealContainingOneof() == oneof)
                        .mapToInt(f -> f.target)
                        .toArray();
            }
        }
    }

    static MessageReader of(Descriptor message, RowType columns, String path, ColumnRules rules) {
        return new MessageReader(message, columns, path, rules);
    }

    /** A message behind its tag; {@code before} is what came of it earlier, as a message in parts is merged. */
    GenericRowData read(CodedInputStream in, Object before) throws IOException, Malformed {
        GenericRowData row = before == null ? empty() : (GenericRowData) before;
        int outer = in.pushLimit(in.readRawVarint32());
        readFields(in, row);
        in.popLimit(outer);
        return row;
    }

    GenericRowData empty() {
        GenericRowData row = new GenericRowData(arity);
        begin(row);
        return row;
    }

    /** Before the first field: what has no presence has its default. */
    void begin(GenericRowData row) {
        for (Field field : fields) {
            row.setField(field.target, field.column.absent());
        }
    }

    /** All fields up to the message's end. */
    void readFields(CodedInputStream in, GenericRowData row) throws IOException, Malformed {
        for (int tag; (tag = in.readTag()) != 0; ) {
            int number = WireFormat.getTagFieldNumber(tag);
            Field field = number < direct.length ? direct[number] : others.get(number);
            if (field == null) {
                if (WireFormat.getTagWireType(tag) == WireFormat.WIRETYPE_END_GROUP) {
                    throw new Malformed(": a group ends that did not begin");
                }
                in.skipField(tag);
                continue;
            }
            try {
                row.setField(field.target, field.column.read(in, tag, row.getField(field.target)));
            } catch (Malformed malformed) {
                throw malformed.inside(field.descriptor.getName());
            } catch (IOException e) {
                throw new Malformed(": " + e.getMessage()).inside(field.descriptor.getName());
            }
            if (field.rivals != null) {
                for (int rival : field.rivals) {
                    row.setField(rival, null);
                }
            }
        }
    }

    /** After the last field: what is required is there, and collections take Flink's form. */
    void finish(GenericRowData row) throws Malformed {
        for (Field field : fields) {
            Object value = row.getField(field.target);
            if (value != null && field.column.isUnfinished()) {
                try {
                    value = field.column.finish(value);
                } catch (Malformed malformed) {
                    throw malformed.inside(field.descriptor.getName());
                }
                row.setField(field.target, value);
            }
            if (value == null && field.required) {
                throw new Malformed(field.descriptor.getName() + ": is missing, but required");
            }
        }
    }

    private static final class Field {
        final FieldDescriptor descriptor;
        final int number;
        final int target;
        final boolean required;
        final FieldColumn column;

        /** The columns of the other members of its oneof; null outside of one. */
        int[] rivals;

        Field(FieldDescriptor descriptor, int target, boolean required, FieldColumn column) {
            this.descriptor = descriptor;
            this.number = descriptor.getNumber();
            this.target = target;
            this.required = required;
            this.column = column;
        }
    }
}
