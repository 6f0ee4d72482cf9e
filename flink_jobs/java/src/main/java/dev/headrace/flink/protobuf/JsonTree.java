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
        boolean delimited = WireFormat.getTagWireType(tag) == WireFormat.WIRETYPE_LENGTH_DELIMITED;
        switch (kind) {
            case "Struct":
                if (number != 1 || !delimited) {
                    return null;
                }
                entry(in, (Map<String, Object>) value, depth);
                return value;
            case "ListValue":
                if (number != 1 || !delimited) {
                    return null;
                }
                ((List<Object>) value).add(message("Value", in, null, depth + 1));
                return value;
            default:
                return WireFormat.getTagWireType(tag) == wireType(number) ? single(in, number, value, depth) : null;
        }
    }

    private static int wireType(int field) {
        switch (field) {
            case 1:
            case 4:
                return WireFormat.WIRETYPE_VARINT;
            case 2:
                return WireFormat.WIRETYPE_FIXED64;
            default:
                return WireFormat.WIRETYPE_LENGTH_DELIMITED;
        }
    }

    private static Object single(CodedInputStream in, int number, Object value, int depth)
            throws IOException, Malformed {
        switch (number) {
            case 1:
                in.readEnum();
                return NULL;
            case 2:
                return Scalars.finite(in.readDouble());
            case 3:
                return Scalars.text(in);
            case 4:
                return in.readBool();
            case 5:
                return message("Struct", in, value, depth + 1);
            case 6:
                return message("ListValue", in, value, depth + 1);
            default:
                return null;
        }
    }

    private static void entry(CodedInputStream in, Map<String, Object> into, int depth)
            throws IOException, Malformed {
        int outer = in.pushLimit(in.readRawVarint32());
        String name = "";
        Object value = NULL;
        for (int part; (part = in.readTag()) != 0; ) {
            boolean delimited = WireFormat.getTagWireType(part) == WireFormat.WIRETYPE_LENGTH_DELIMITED;
            if (WireFormat.getTagFieldNumber(part) == 1 && delimited) {
                name = Scalars.text(in).toString();
            } else if (WireFormat.getTagFieldNumber(part) == 2 && delimited) {
                value = message("Value", in, value == NULL ? null : value, depth + 1);
            } else if (!in.skipField(part)) {
                throw new Malformed(": a group ends that did not begin");
            }
        }
        in.popLimit(outer);
        into.put(name, value);
    }

    private static Object message(String kind, CodedInputStream in, Object before, int depth)
            throws IOException, Malformed {
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
