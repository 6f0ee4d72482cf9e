package dev.headrace.flink.avro;

import dev.headrace.flink.format.Malformed;
import dev.headrace.flink.format.Rfc3339;
import java.time.LocalDate;
import org.apache.flink.table.data.StringData;

/** Times without an offset as ISO 8601 text: {@code 10:15:30.5}, {@code 2026-11-22T10:15:30.5}. */
final class LocalTexts {

    private static final long SECONDS_PER_DAY = 86_400;

    private LocalTexts() {}

    static Object timeOfDay(long ticks, long perSecond) throws Malformed {
        if (ticks < 0 || ticks >= SECONDS_PER_DAY * perSecond) {
            throw new Malformed(": is " + ticks + ", not a time of a day");
        }
        return StringData.fromString(append(new StringBuilder(18), ticks, perSecond).toString());
    }

    static Object dateTime(long ticks, long perSecond) throws Malformed {
        if (!Rfc3339.isInRange(Math.floorDiv(ticks, perSecond / 1000))) {
            throw new Malformed(": is " + ticks + ", not of the years 1 to 9999");
        }
        long perDay = SECONDS_PER_DAY * perSecond;
        StringBuilder text = new StringBuilder(29).append(LocalDate.ofEpochDay(Math.floorDiv(ticks, perDay)));
        return StringData.fromString(append(text.append('T'), Math.floorMod(ticks, perDay), perSecond).toString());
    }

    private static StringBuilder append(StringBuilder text, long ticks, long perSecond) {
        long second = ticks / perSecond;
        two(text, second / 3600).append(':');
        two(text, second / 60 % 60).append(':');
        two(text, second % 60);
        long fraction = ticks % perSecond;
        if (fraction == 0) {
            return text;
        }
        text.append('.');
        for (long digit = perSecond / 10; fraction > 0; digit /= 10) {
            text.append((char) ('0' + fraction / digit));
            fraction %= digit;
        }
        return text;
    }

    private static StringBuilder two(StringBuilder text, long value) {
        return text.append((char) ('0' + value / 10)).append((char) ('0' + value % 10));
    }
}
