package dev.headrace.flink.protobuf;

import com.google.protobuf.ByteString;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.EnumValueDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.DynamicMessage;
import com.google.protobuf.Message;
import dev.headrace.flink.format.Unwritable;
import java.io.IOException;
import java.math.BigDecimal;
import java.util.regex.Pattern;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.table.data.TimestampData;

/** Single values as Protobuf's dynamic messages take them. */
final class ProtobufValues {

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Pattern DURATION = Pattern.compile("-?[0-9]{1,12}(\\.[0-9]{1,9})?s");
    private static final long MAX_UINT32 = 0xffffffffL;

    private ProtobufValues() {}

    static Object scalar(FieldDescriptor field, Object value, String path) {
        switch (field.getType()) {
            case BOOL:
            case DOUBLE:
                return value;
            case FLOAT:
                return (float) (double) value;
            case STRING:
                return value.toString();
            case BYTES:
                return ByteString.copyFrom((byte[]) value);
            case ENUM:
                return symbol(field, value.toString(), path);
            default:
                return number(field, value, path);
        }
    }

    private static Object number(FieldDescriptor field, Object value, String path) {
        long number = value instanceof TimestampData ? ((TimestampData) value).getMillisecond() : (long) value;
        switch (field.getType()) {
            case INT64:
            case SINT64:
            case SFIXED64:
                return number;
            case UINT64:
            case FIXED64:
                if (number >= 0) {
                    return number;
                }
                break;
            case UINT32:
            case FIXED32:
                if (number >= 0 && number <= MAX_UINT32) {
                    return (int) number;
                }
                break;
            default:
                if (number == (int) number) {
                    return (int) number;
                }
        }
        throw Unwritable.at(path, "is " + number + ", which its type does not hold");
    }

    private static Object symbol(FieldDescriptor field, String name, String path) {
        EnumValueDescriptor value = field.getEnumType().findValueByName(name);
        if (value != null) {
            return value;
        }
        try {
            return field.getEnumType().findValueByNumberCreatingIfUnknown(Integer.parseInt(name));
        } catch (NumberFormatException e) {
            throw Unwritable.at(path, "is '" + name + "', which is no name of its enum");
        }
    }

    static Object key(FieldDescriptor field, String key, String path) {
        try {
            switch (field.getType()) {
                case STRING:
                    return key;
                case BOOL:
                    return Boolean.parseBoolean(key);
                default:
                    return number(field, Long.parseLong(key), path);
            }
        } catch (NumberFormatException e) {
            throw Unwritable.at(path, "has the key '" + key + "', which is no number");
        }
    }

    /** Google's messages that are single columns. */
    static Message wellKnown(Descriptor message, Object value, String path) {
        switch (message.getName()) {
            case "Timestamp":
                long millis = ((TimestampData) value).getMillisecond();
                return seconds(message, Math.floorDiv(millis, 1000), (int) Math.floorMod(millis, 1000) * 1_000_000);
            case "Duration":
                return duration(message, value.toString(), path);
            case "Struct":
            case "Value":
            case "ListValue":
                try {
                    return json(message, JSON.readTree(value.toString()), path);
                } catch (IOException e) {
                    throw Unwritable.at(path, "is '" + value + "', which is no JSON");
                }
            default:
                FieldDescriptor wrapped = message.findFieldByNumber(1);
                return DynamicMessage.newBuilder(message).setField(wrapped, scalar(wrapped, value, path)).build();
        }
    }

    private static Message seconds(Descriptor message, long seconds, int nanos) {
        return DynamicMessage.newBuilder(message)
                .setField(message.findFieldByNumber(1), seconds)
                .setField(message.findFieldByNumber(2), nanos)
                .build();
    }

    private static Message duration(Descriptor message, String text, String path) {
        if (!DURATION.matcher(text).matches()) {
            throw Unwritable.at(path, "is '" + text + "', which is no duration like 1.5s");
        }
        BigDecimal seconds = new BigDecimal(text.substring(0, text.length() - 1));
        long whole = seconds.longValue();
        int nanos = seconds.subtract(BigDecimal.valueOf(whole)).movePointRight(9).intValueExact();
        return seconds(message, whole, nanos);
    }

    private static Message json(Descriptor message, JsonNode node, String path) {
        DynamicMessage.Builder builder = DynamicMessage.newBuilder(message);
        FieldDescriptor first = message.findFieldByNumber(1);
        switch (message.getName()) {
            case "Struct":
                if (!node.isObject()) {
                    throw Unwritable.at(path, "is the JSON " + node + ", not an object");
                }
                Descriptor entry = first.getMessageType();
                FieldDescriptor value = entry.findFieldByNumber(2);
                node.fields().forEachRemaining(
                        field ->
                                builder.addRepeatedField(
                                        first,
                                        DynamicMessage.newBuilder(entry)
                                                .setField(entry.findFieldByNumber(1), field.getKey())
                                                .setField(value, json(value.getMessageType(), field.getValue(), path))
                                                .build()));
                return builder.build();
            case "ListValue":
                if (!node.isArray()) {
                    throw Unwritable.at(path, "is the JSON " + node + ", not an array");
                }
                node.forEach(item -> builder.addRepeatedField(first, json(first.getMessageType(), item, path)));
                return builder.build();
            default:
                return value(message, builder, node, path);
        }
    }

    private static Message value(Descriptor message, DynamicMessage.Builder builder, JsonNode node, String path) {
        if (node.isNumber()) {
            builder.setField(message.findFieldByNumber(2), node.doubleValue());
        } else if (node.isTextual()) {
            builder.setField(message.findFieldByNumber(3), node.textValue());
        } else if (node.isBoolean()) {
            builder.setField(message.findFieldByNumber(4), node.booleanValue());
        } else if (node.isObject()) {
            FieldDescriptor field = message.findFieldByNumber(5);
            builder.setField(field, json(field.getMessageType(), node, path));
        } else if (node.isArray()) {
            FieldDescriptor field = message.findFieldByNumber(6);
            builder.setField(field, json(field.getMessageType(), node, path));
        } else {
            FieldDescriptor field = message.findFieldByNumber(1);
            builder.setField(field, field.getEnumType().findValueByNumber(0));
        }
        return builder.build();
    }
}
