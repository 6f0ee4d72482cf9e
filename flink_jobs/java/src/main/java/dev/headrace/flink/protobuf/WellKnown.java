package dev.headrace.flink.protobuf;

import com.google.protobuf.CodedInputStream;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.WireFormat;
import dev.headrace.flink.format.Malformed;
import dev.headrace.flink.format.Rfc3339;
import java.io.IOException;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.LogicalTypeRoot;

/** Google's well-known messages that are single columns: times, wrappers and JSON. */
abstract class WellKnown extends FieldColumn {

    private static final String PACKAGE = "google.protobuf.";
    private static final int NANOS_PER_SECOND = 1_000_000_000;
    private static final long MAX_DURATION_SECONDS = 315_576_000_000L; // of Protobuf's own definition

    /** The column of such a message; null for any other. */
    static FieldColumn of(FieldDescriptor field, LogicalType type) {
        String name = field.getMessageType().getFullName();
        if (!name.startsWith(PACKAGE)) {
            return null;
        }
        switch (name.substring(PACKAGE.length())) {
            case "Timestamp":
                ProtobufFields.demand(field, type, LogicalTypeRoot.TIMESTAMP_WITH_LOCAL_TIME_ZONE);
                return new Timestamp();
            case "Duration":
                ProtobufFields.demand(field, type, LogicalTypeRoot.VARCHAR);
                return new Duration();
            case "Struct":
            case "Value":
            case "ListValue":
                ProtobufFields.demand(field, type, LogicalTypeRoot.VARCHAR);
                return new Json(name.substring(PACKAGE.length()));
            case "DoubleValue":
            case "FloatValue":
            case "Int64Value":
            case "UInt64Value":
            case "Int32Value":
            case "UInt32Value":
            case "BoolValue":
            case "StringValue":
            case "BytesValue":
                return new Wrapper(field.getMessageType().findFieldByNumber(1), type);
            default:
                return null;
        }
    }

    @Override
    final Object absent() {
        return null;
    }

    @Override
    final Object read(CodedInputStream in, int tag, Object before) throws IOException, Malformed {
        ProtobufFields.demand(tag, WireFormat.WIRETYPE_LENGTH_DELIMITED);
        int outer = in.pushLimit(in.readRawVarint32());
        Object value = begin(before);
        for (int part; (part = in.readTag()) != 0; ) {
            int number = WireFormat.getTagFieldNumber(part);
            Object more = part(in, part, number, value);
            if (more != null) {
                value = more;
            } else if (!in.skipField(part)) {
                throw new Malformed(": a group ends that did not begin");
            }
        }
        in.popLimit(outer);
        return value;
    }

    /** The value of a message without fields; {@code before} where an earlier part of it came. */
    abstract Object begin(Object before);

    /**
     * The value with the field {@code number} read; null when it has no such field of that wire type. Inside of these
     * messages, which are Google's, another type is a field of another version, as for Protobuf's own libraries.
     */
    abstract Object part(CodedInputStream in, int tag, int number, Object value) throws IOException, Malformed;

    @Override
    boolean isUnfinished() {
        return true;
    }

    /** Seconds and nanoseconds: of a time since the epoch, or of a duration. */
    private abstract static class Instant extends WellKnown {
        @Override
        Object begin(Object before) {
            return before == null ? new long[2] : before;
        }

        @Override
        Object part(CodedInputStream in, int tag, int number, Object value) throws IOException, Malformed {
            if (number != 1 && number != 2 || WireFormat.getTagWireType(tag) != WireFormat.WIRETYPE_VARINT) {
                return null;
            }
            ((long[]) value)[number - 1] = number == 1 ? in.readInt64() : in.readInt32();
            return value;
        }
    }

    private static final class Timestamp extends Instant {
        @Override
        Object finish(Object value) throws Malformed {
            long seconds = ((long[]) value)[0];
            long nanos = ((long[]) value)[1];
            // Bounded first, so that the product cannot overflow.
            if (Math.abs(seconds) <= MAX_DURATION_SECONDS && nanos >= 0 && nanos < NANOS_PER_SECOND) {
                long millis = seconds * 1000 + nanos / 1_000_000;
                if (Rfc3339.isInRange(millis)) {
                    return TimestampData.fromEpochMillis(millis);
                }
            }
            throw new Malformed(": is " + seconds + " s and " + nanos + " ns, no time of the years 1 to 9999");
        }
    }

    private static final class Duration extends Instant {
        @Override
        Object finish(Object value) throws Malformed {
            long seconds = ((long[]) value)[0];
            long nanos = ((long[]) value)[1];
            if (seconds > MAX_DURATION_SECONDS || seconds < -MAX_DURATION_SECONDS
                    || Math.abs(nanos) >= NANOS_PER_SECOND || seconds > 0 && nanos < 0 || seconds < 0 && nanos > 0) {
                throw new Malformed(": is " + seconds + " s and " + nanos + " ns, no duration");
            }
            StringBuilder text = new StringBuilder(seconds < 0 || nanos < 0 ? "-" : "").append(Math.abs(seconds));
            if (nanos != 0) {
                String digits = Long.toString(NANOS_PER_SECOND + Math.abs(nanos)).substring(1);
                // Three, six or nine digits, as Protobuf's own JSON has it.
                text.append('.').append(digits.endsWith("000000")
                        ? digits.substring(0, 3)
                        : digits.endsWith("000") ? digits.substring(0, 6) : digits);
            }
            return StringData.fromString(text.append('s').toString());
        }
    }

    /** A number, a boolean, a text or bytes that may be null. */
    private static final class Wrapper extends WellKnown {
        private final Scalars.Reader reader;
        private final int wireType;
        private final Object zero;

        Wrapper(FieldDescriptor value, LogicalType type) {
            this.reader = Scalars.of(value, type, false);
            this.wireType = value.getLiteType().getWireType();
            this.zero = Scalars.zero(value, type);
        }

        @Override
        Object begin(Object before) {
            return before == null ? zero : before;
        }

        @Override
        Object part(CodedInputStream in, int tag, int number, Object value) throws IOException, Malformed {
            return number == 1 && WireFormat.getTagWireType(tag) == wireType ? reader.read(in) : null;
        }
    }

    private static final class Json extends WellKnown {
        private final String kind;

        Json(String kind) {
            this.kind = kind;
        }

        @Override
        Object begin(Object before) {
            return JsonTree.begin(kind, before);
        }

        @Override
        Object part(CodedInputStream in, int tag, int number, Object value) throws IOException, Malformed {
            return JsonTree.part(kind, in, tag, number, value, 0);
        }

        @Override
        Object finish(Object value) throws Malformed {
            // As in JSON, a null is no value.
            return value == JsonTree.NULL ? null : StringData.fromString(JsonTree.text(value));
        }
    }
}
