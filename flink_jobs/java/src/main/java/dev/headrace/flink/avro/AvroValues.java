package dev.headrace.flink.avro;

import dev.headrace.flink.format.Malformed;
import dev.headrace.flink.format.Rfc3339;
import dev.headrace.flink.format.Utf8;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.util.Arrays;
import org.apache.avro.LogicalType;
import org.apache.avro.LogicalTypes;
import org.apache.avro.Schema;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.types.logical.DecimalType;

/**
 * Readers of single values (docs/reference/contracts.md, "Avro"). A number that means a time or a decimal is read in
 * the unit and the scale in which its writer wrote it; the topic's schema says what it means where the writer's does not.
 */
final class AvroValues {

    private static final int FIRST_DAY = -719_162; // 0001-01-01
    private static final int LAST_DAY = 2_932_896; // 9999-12-31

    private AvroValues() {}

    static AvroReader reader(
            Schema written, Schema read, org.apache.flink.table.types.logical.LogicalType type, boolean epochMillis,
            String path) {
        switch (type.getTypeRoot()) {
            case BOOLEAN:
                return of(read, Schema.Type.BOOLEAN, AvroBytes::readBoolean, path);
            case BIGINT:
                Whole whole = whole(written, read, path);
                return whole::read;
            case DOUBLE:
                return floating(written, read, path);
            case DATE:
                Whole day = whole(written, read, path);
                return in -> date(day.read(in));
            case TIMESTAMP_WITH_LOCAL_TIME_ZONE:
                Whole ticks = whole(written, read, path);
                long perMilli = epochMillis ? 1 : perSecond(name(written, read)) / 1000;
                return in -> time(Math.floorDiv(ticks.read(in), perMilli));
            case VARCHAR:
                if (read.getType() == Schema.Type.INT || read.getType() == Schema.Type.LONG) {
                    Whole local = whole(written, read, path);
                    String name = name(written, read);
                    long perSecond = perSecond(name);
                    return name.startsWith("local-")
                            ? in -> LocalTexts.dateTime(local.read(in), perSecond)
                            : in -> LocalTexts.timeOfDay(local.read(in), perSecond);
                }
                return of(read, Schema.Type.STRING, AvroValues::text, path);
            case VARBINARY:
                Slice bytes = slice(written, read, path);
                return bytes::copy;
            case DECIMAL:
                return decimal(written, read, (DecimalType) type, path);
            default:
                throw mismatch(read, path);
        }
    }

    /** Text, its bytes checked to be UTF-8. */
    static StringData text(AvroBytes in) throws Malformed {
        int length = (int) Math.min(in.readLong(), Integer.MAX_VALUE);
        StringData text = Utf8.text(in.message, in.take(length), length);
        if (text == null) {
            throw new Malformed(": is not UTF-8");
        }
        return text;
    }

    private static AvroReader of(Schema read, Schema.Type type, AvroReader reader, String path) {
        if (read.getType() != type && !(type == Schema.Type.STRING && read.getType() == Schema.Type.BYTES)) {
            throw mismatch(read, path);
        }
        return reader;
    }

    private static Whole whole(Schema written, Schema read, String path) {
        if (read.getType() != Schema.Type.INT && read.getType() != Schema.Type.LONG) {
            throw mismatch(read, path);
        }
        return written.getType() == Schema.Type.INT ? AvroBytes::readInt : AvroBytes::readLong;
    }

    private static AvroReader floating(Schema written, Schema read, String path) {
        if (read.getType() != Schema.Type.FLOAT && read.getType() != Schema.Type.DOUBLE) {
            throw mismatch(read, path);
        }
        boolean single = read.getType() == Schema.Type.FLOAT;
        switch (written.getType()) {
            case FLOAT:
                return in -> finite(in.readFloat());
            case DOUBLE:
                return in -> finite(in.readDouble());
            case INT:
                return single ? in -> (double) (float) in.readInt() : in -> (double) in.readInt();
            default:
                return single ? in -> (double) (float) in.readLong() : in -> (double) in.readLong();
        }
    }

    private static Object finite(double value) throws Malformed {
        if (Double.isNaN(value) || Double.isInfinite(value)) {
            throw new Malformed(": is " + value + ", not a number");
        }
        return value;
    }

    private static Object date(long day) throws Malformed {
        if (day < FIRST_DAY || day > LAST_DAY) {
            throw new Malformed(": is day " + day + ", not of the years 1 to 9999");
        }
        return (int) day;
    }

    private static Object time(long millis) throws Malformed {
        if (!Rfc3339.isInRange(millis)) {
            throw new Malformed(": is " + millis + " ms, not of the years 1 to 9999");
        }
        return TimestampData.fromEpochMillis(millis);
    }

    private static AvroReader decimal(Schema written, Schema read, DecimalType type, String path) {
        Slice slice = slice(written, read, path);
        LogicalType own = written.getLogicalType();
        int scale = own instanceof LogicalTypes.Decimal ? ((LogicalTypes.Decimal) own).getScale() : type.getScale();
        return in -> {
            byte[] unscaled = (byte[]) slice.copy(in);
            if (unscaled.length == 0) {
                throw new Malformed(": is a decimal without digits");
            }
            // A value's bytes bound its digits; far more than any column holds must not be worked out.
            if (unscaled.length <= 64) {
                BigDecimal value = new BigDecimal(new BigInteger(unscaled), scale);
                try {
                    value = value.setScale(type.getScale(), RoundingMode.UNNECESSARY);
                    DecimalData data = DecimalData.fromBigDecimal(value, type.getPrecision(), type.getScale());
                    if (data != null) {
                        return data;
                    }
                } catch (ArithmeticException e) {
                    // More digits behind the point than the column has.
                }
            }
            throw new Malformed(": does not fit into " + type.asSummaryString());
        };
    }

    private static Slice slice(Schema written, Schema read, String path) {
        switch (read.getType()) {
            case FIXED:
                int size = read.getFixedSize();
                return in -> size;
            case BYTES:
            case STRING:
                return AvroBytes::readLong;
            default:
                throw mismatch(read, path);
        }
    }

    /** The logical type of a number: the writer's, or where it has none, the topic's. */
    private static String name(Schema written, Schema read) {
        // By property, not by class: Avro keeps the name also of a logical type that it does not know.
        String name = written.getProp("logicalType");
        String own = read.getProp("logicalType");
        return name != null && own != null && family(name).equals(family(own)) ? name : own == null ? "" : own;
    }

    private static String family(String name) {
        int end = name.lastIndexOf('-');
        return end < 0 ? name : name.substring(0, end);
    }

    private static long perSecond(String logicalType) {
        if (logicalType.endsWith("-nanos")) {
            return 1_000_000_000L;
        }
        return logicalType.endsWith("-micros") ? 1_000_000L : 1_000L;
    }

    private static ValidationException mismatch(Schema read, String path) {
        return new ValidationException(
                "headrace-avro: the schema's " + read.getType().getName() + " at `" + path + "` is not the column's type");
    }

    @FunctionalInterface
    private interface Whole {
        long read(AvroBytes in) throws Malformed;
    }

    /** Says how many bytes a value has. */
    @FunctionalInterface
    private interface Slice {
        long length(AvroBytes in) throws Malformed;

        default Object copy(AvroBytes in) throws Malformed {
            long length = length(in);
            int start = in.take(length);
            return Arrays.copyOfRange(in.message, start, start + (int) length);
        }
    }
}
