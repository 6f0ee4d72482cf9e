package dev.headrace.flink.avro;

import java.time.DateTimeException;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.ZoneOffset;
import org.apache.avro.Schema;

/** Times as Avro's numbers count them. */
final class Ticks {

    private static final long NANOS_PER_SECOND = 1_000_000_000L;

    private Ticks() {}

    /** How many of the schema's units a second has; of a plain number that is a time, milliseconds. */
    static long perSecond(Schema schema) {
        String name = name(schema);
        if (name.endsWith("-nanos")) {
            return NANOS_PER_SECOND;
        }
        return name.endsWith("-micros") ? 1_000_000L : 1_000L;
    }

    static String name(Schema schema) {
        String name = schema.getProp("logicalType");
        return name == null ? "" : name;
    }

    /** A time without an offset, as ISO 8601 text; throws DateTimeException or ArithmeticException where it is none. */
    static long of(Schema schema, String text) {
        String name = name(schema);
        if (name.startsWith("local-timestamp-")) {
            LocalDateTime time = LocalDateTime.parse(text);
            long seconds = Math.multiplyExact(time.toEpochSecond(ZoneOffset.UTC), perSecond(schema));
            return Math.addExact(seconds, time.getNano() / (NANOS_PER_SECOND / perSecond(schema)));
        }
        if (name.startsWith("time-")) {
            return LocalTime.parse(text).toNanoOfDay() / (NANOS_PER_SECOND / perSecond(schema));
        }
        throw new DateTimeException("not a time");
    }
}
