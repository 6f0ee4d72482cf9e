package dev.headrace.flink.protobuf;

import com.google.protobuf.CodedInputStream;
import com.google.protobuf.Descriptors.EnumValueDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import dev.headrace.flink.format.Malformed;
import dev.headrace.flink.format.Rfc3339;
import dev.headrace.flink.format.Utf8;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.LogicalTypeRoot;

/** Readers of single values that are no messages, and their defaults. */
final class Scalars {

    private static final byte[] NO_BYTES = {};

    private Scalars() {}

    @FunctionalInterface
    interface Reader {
        Object read(CodedInputStream in) throws IOException, Malformed;
    }

    static Reader of(FieldDescriptor field, LogicalType type, boolean epochMillis) {
        switch (field.getType()) {
            case BOOL:
                ProtobufFields.demand(field, type, LogicalTypeRoot.BOOLEAN);
                return CodedInputStream::readBool;
            case FLOAT:
                ProtobufFields.demand(field, type, LogicalTypeRoot.DOUBLE);
                return in -> finite(in.readFloat());
            case DOUBLE:
                ProtobufFields.demand(field, type, LogicalTypeRoot.DOUBLE);
                return in -> finite(in.readDouble());
            case STRING:
                ProtobufFields.demand(field, type, LogicalTypeRoot.VARCHAR);
                return Scalars::text;
            case BYTES:
                ProtobufFields.demand(field, type, LogicalTypeRoot.VARBINARY);
                return CodedInputStream::readByteArray;
            case ENUM:
                ProtobufFields.demand(field, type, LogicalTypeRoot.VARCHAR);
                return names(field);
            default:
                Whole whole = whole(field);
                if (epochMillis) {
                    ProtobufFields.demand(field, type, LogicalTypeRoot.TIMESTAMP_WITH_LOCAL_TIME_ZONE);
                    return in -> time(whole.read(in));
                }
                ProtobufFields.demand(field, type, LogicalTypeRoot.BIGINT);
                return whole::read;
        }
    }

    /** The default of a field that cannot tell whether it is set. */
    static Object zero(FieldDescriptor field, LogicalType type) {
        switch (type.getTypeRoot()) {
            case BOOLEAN:
                return false;
            case DOUBLE:
                return 0.0;
            case BIGINT:
                return 0L;
            case VARBINARY:
                return NO_BYTES;
            case TIMESTAMP_WITH_LOCAL_TIME_ZONE:
                return TimestampData.fromEpochMillis(0);
            default:
                return field.getType() == FieldDescriptor.Type.ENUM
                        ? shared(field.getEnumType().getValues().get(0).getName())
                        : shared("");
        }
    }

    /** A map's key as text, as in Protobuf's JSON. */
    static Reader key(FieldDescriptor field) {
        switch (field.getType()) {
            case STRING:
                return Scalars::text;
            case BOOL:
                return in -> StringData.fromString(Boolean.toString(in.readBool()));
            default:
                Whole whole = whole(field);
                return in -> StringData.fromString(Long.toString(whole.read(in)));
        }
    }

    static StringData zeroKey(FieldDescriptor field) {
        switch (field.getType()) {
            case STRING:
                return shared("");
            case BOOL:
                return shared("false");
            default:
                return shared("0");
        }
    }

    @FunctionalInterface
    private interface Whole {
        long read(CodedInputStream in) throws IOException, Malformed;
    }

    private static Whole whole(FieldDescriptor field) {
        switch (field.getType()) {
            case INT32:
                return CodedInputStream::readInt32;
            case SINT32:
                return CodedInputStream::readSInt32;
            case SFIXED32:
                return CodedInputStream::readSFixed32;
            case UINT32:
                return in -> Integer.toUnsignedLong(in.readUInt32());
            case FIXED32:
                return in -> Integer.toUnsignedLong(in.readFixed32());
            case INT64:
                return CodedInputStream::readInt64;
            case SINT64:
                return CodedInputStream::readSInt64;
            case SFIXED64:
                return CodedInputStream::readSFixed64;
            case UINT64:
                return in -> signed(in.readUInt64());
            default:
                return in -> signed(in.readFixed64());
        }
    }

    private static long signed(long bits) throws Malformed {
        if (bits < 0) {
            throw new Malformed(": is " + Long.toUnsignedString(bits) + ", a number of more than 63 bits");
        }
        return bits;
    }

    static double finite(double value) throws Malformed {
        if (Double.isNaN(value) || Double.isInfinite(value)) {
            throw new Malformed(": is " + value + ", not a number");
        }
        return value;
    }

    private static Object time(long millis) throws Malformed {
        if (!Rfc3339.isInRange(millis)) {
            throw new Malformed(": is " + millis + " ms, not of the years 1 to 9999");
        }
        return TimestampData.fromEpochMillis(millis);
    }

    static StringData text(CodedInputStream in) throws IOException, Malformed {
        StringData text = Utf8.text(in.readByteArray());
        if (text == null) {
            throw new Malformed(": is not UTF-8");
        }
        return text;
    }

    private static Reader names(FieldDescriptor field) {
        Map<Integer, StringData> names = new HashMap<>();
        for (EnumValueDescriptor value : field.getEnumType().getValues()) {
            // Of two names for one number the first counts.
            names.putIfAbsent(value.getNumber(), shared(value.getName()));
        }
        return in -> {
            int number = in.readEnum();
            StringData name = names.get(number);
            return name != null ? name : StringData.fromString(Integer.toString(number));
        };
    }

    private static StringData shared(String text) {
        StringData data = StringData.fromString(text);
        // Encoded now: one object serves all rows.
        data.toBytes();
        return data;
    }
}
