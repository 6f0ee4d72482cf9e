package dev.headrace.flink.protobuf;

import com.google.protobuf.CodedInputStream;
import com.google.protobuf.WireFormat;
import dev.headrace.flink.format.JsonForm;
import dev.headrace.flink.format.Malformed;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.table.data.StringData;

/** Google's {@code Struct}, {@code Value} and {@code ListValue}: any JSON as messages, here as maps, lists and values. */
final class JsonTree {

    /** JSON's null; also a {@code Value} that says nothing. */
    static final Object NULL = new Object();

    private static final int MAX_DEPTH = 100; // Protobuf's own
    private static final double MAX_EXACT = 1L << 53;

    private JsonTree() {}

    static Object begin(String kind, Object before) {
        switch (kind) {
            case "Struct":
                return before instanceof Map ? before : new LinkedHashMap<String, Object>();
            case "ListValue":
                return before instanceof List ? before : new ArrayList<Object>();
            default:
                return before == null ? NULL : before;
        }
    }

    /** {@code value} with one field more; null when a message of that kind has no such field. */
    @SuppressWarnings("unchecked")
    static Object part(String kind, CodedInputStream in, int tag, int number, Object value, int depth)
            throws IOException, Malformed {
        switch (kind) {
            case "Struct":
                if (number != 1) {
                    return null;
                }
                entry(in, tag, (Map<String, Object>) value, depth);
                return value;
            case "ListValue":
                if (number != 1) {
                    return null;
                }
                ((List<Object>) value).add(message("Value", in, tag, null, depth + 1));
                return value;
            default:
                return single(in, tag, number, value, depth);
        }
    }

    private static Object single(CodedInputStream in, int tag, int number, Object value, int depth)
            throws IOException, Malformed {
        switch (number) {
            case 1:
                ProtobufFields.demand(tag, WireFormat.WIRETYPE_VARINT);
                in.readEnum();
                return NULL;
            case 2:
                ProtobufFields.demand(tag, WireFormat.WIRETYPE_FIXED64);
                return Scalars.finite(in.readDouble());
            case 3:
                ProtobufFields.demand(tag, WireFormat.WIRETYPE_LENGTH_DELIMITED);
                return Scalars.text(in);
            case 4:
                ProtobufFields.demand(tag, WireFormat.WIRETYPE_VARINT);
                return in.readBool();
            case 5:
                return message("Struct", in, tag, value, depth + 1);
            case 6:
                return message("ListValue", in, tag, value, depth + 1);
            default:
                return null;
        }
    }

    private static void entry(CodedInputStream in, int tag, Map<String, Object> into, int depth)
            throws IOException, Malformed {
        ProtobufFields.demand(tag, WireFormat.WIRETYPE_LENGTH_DELIMITED);
        int outer = in.pushLimit(in.readRawVarint32());
        String name = "";
        Object value = NULL;
        for (int part; (part = in.readTag()) != 0; ) {
            if (WireFormat.getTagFieldNumber(part) == 1) {
                ProtobufFields.demand(part, WireFormat.WIRETYPE_LENGTH_DELIMITED);
                name = Scalars.text(in).toString();
            } else if (WireFormat.getTagFieldNumber(part) == 2) {
                value = message("Value", in, part, value == NULL ? null : value, depth + 1);
            } else if (!in.skipField(part)) {
                throw new Malformed(": a group ends that did not begin");
            }
        }
        in.popLimit(outer);
        into.put(name, value);
    }

    private static Object message(String kind, CodedInputStream in, int tag, Object before, int depth)
            throws IOException, Malformed {
        ProtobufFields.demand(tag, WireFormat.WIRETYPE_LENGTH_DELIMITED);
        if (depth > MAX_DEPTH) {
            throw new Malformed(": is nested too deeply");
        }
        int outer = in.pushLimit(in.readRawVarint32());
        Object value = begin(kind, before);
        for (int part; (part = in.readTag()) != 0; ) {
            Object more = part(kind, in, part, WireFormat.getTagFieldNumber(part), value, depth);
            if (more != null) {
                value = more;
            } else if (!in.skipField(part)) {
                throw new Malformed(": a group ends that did not begin");
            }
        }
        in.popLimit(outer);
        return value;
    }

    static String text(Object value) {
        StringBuilder out = new StringBuilder();
        write(value, out);
        return out.toString();
    }

    private static void write(Object value, StringBuilder out) {
        if (value == NULL) {
            out.append("null");
        } else if (value instanceof StringData) {
            JsonForm.quote(value.toString(), out);
        } else if (value instanceof Double) {
            double number = (double) value;
            // As Protobuf's own JSON: a number without a fraction is a whole one.
            boolean whole = number == Math.rint(number) && Math.abs(number) <= MAX_EXACT;
            out.append(whole ? Long.toString((long) number) : Double.toString(number));
        } else if (value instanceof Map) {
            out.append('{');
            boolean first = true;
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                out.append(first ? "" : ",");
                first = false;
                JsonForm.quote((String) entry.getKey(), out);
                out.append(':');
                write(entry.getValue(), out);
            }
            out.append('}');
        } else if (value instanceof List) {
            out.append('[');
            boolean first = true;
            for (Object item : (List<?>) value) {
                out.append(first ? "" : ",");
                first = false;
                write(item, out);
            }
            out.append(']');
        } else {
            out.append(value);
        }
    }
}
