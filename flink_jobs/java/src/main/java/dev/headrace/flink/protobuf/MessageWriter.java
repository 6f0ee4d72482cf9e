package dev.headrace.flink.protobuf;

import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.DynamicMessage;
import com.google.protobuf.Message;
import dev.headrace.flink.format.FieldPaths;
import dev.headrace.flink.format.Unwritable;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.data.ArrayData;
import org.apache.flink.table.data.MapData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.logical.ArrayType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.MapType;
import org.apache.flink.table.types.logical.RowType;

/** Makes messages of rows, the mirror of {@link MessageReader}. A column that is null leaves its field unset. */
final class MessageWriter {

    private final Descriptor message;
    private final List<Field> fields = new ArrayList<>();

    MessageWriter(Descriptor message, RowType columns, String path) {
        this.message = message;
        for (int i = 0; i < columns.getFieldCount(); i++) {
            String name = columns.getFieldNames().get(i);
            FieldDescriptor field = message.findFieldByName(name);
            if (field == null) {
                throw new ValidationException(
                        "headrace-protobuf: " + message.getFullName() + " has no field for the column `" + name + "`");
            }
            LogicalType type = columns.getTypeAt(i);
            String at = FieldPaths.field(path, name);
            fields.add(new Field(field, RowData.createFieldGetter(type, i), column(field, type, at)));
        }
    }

    Message message(RowData row) {
        DynamicMessage.Builder builder = DynamicMessage.newBuilder(message);
        for (Field field : fields) {
            Object value = field.getter.getFieldOrNull(row);
            if (value != null) {
                builder.setField(field.descriptor, field.form.of(value));
            }
        }
        return builder.build();
    }

    /** A value of Flink's internal form as Protobuf's dynamic messages take it. */
    @FunctionalInterface
    interface Form {
        Object of(Object value);
    }

    private record Field(FieldDescriptor descriptor, RowData.FieldGetter getter, Form form) {}

    private static Form column(FieldDescriptor field, LogicalType type, String path) {
        if (field.isMapField()) {
            return entries(field.getMessageType(), (MapType) type, FieldPaths.items(path));
        }
        if (field.isRepeated()) {
            LogicalType element = ((ArrayType) type).getElementType();
            Form item = single(field, element, FieldPaths.items(path));
            ArrayData.ElementGetter getter = ArrayData.createElementGetter(element);
            return value -> {
                ArrayData array = (ArrayData) value;
                List<Object> items = new ArrayList<>(array.size());
                for (int i = 0; i < array.size(); i++) {
                    items.add(item.of(present(getter.getElementOrNull(array, i), path)));
                }
                return items;
            };
        }
        return single(field, type, path);
    }

    private static Form entries(Descriptor entry, MapType type, String path) {
        FieldDescriptor keyField = entry.findFieldByNumber(1);
        FieldDescriptor valueField = entry.findFieldByNumber(2);
        Form values = single(valueField, type.getValueType(), path);
        ArrayData.ElementGetter getter = ArrayData.createElementGetter(type.getValueType());
        return value -> {
            ArrayData keys = ((MapData) value).keyArray();
            ArrayData held = ((MapData) value).valueArray();
            List<Object> entries = new ArrayList<>(keys.size());
            for (int i = 0; i < keys.size(); i++) {
                entries.add(
                        DynamicMessage.newBuilder(entry)
                                .setField(keyField, ProtobufValues.key(keyField, keys.getString(i).toString(), path))
                                .setField(valueField, values.of(present(getter.getElementOrNull(held, i), path)))
                                .build());
            }
            return entries;
        };
    }

    private static Object present(Object value, String path) {
        if (value == null) {
            throw Unwritable.at(path, "is null, which Protobuf's lists and maps cannot hold");
        }
        return value;
    }

    private static Form single(FieldDescriptor field, LogicalType type, String path) {
        if (field.getType() != FieldDescriptor.Type.MESSAGE) {
            return value -> ProtobufValues.scalar(field, value, path);
        }
        Descriptor message = field.getMessageType();
        if (type instanceof RowType) {
            MessageWriter nested = new MessageWriter(message, (RowType) type, path);
            return value -> nested.message((RowData) value);
        }
        return value -> ProtobufValues.wellKnown(message, value, path);
    }
}
