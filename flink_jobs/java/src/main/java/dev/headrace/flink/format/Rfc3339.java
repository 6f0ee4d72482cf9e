package dev.headrace.flink.format;

import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.ZoneOffset;

/** Times and dates of RFC 3339, by hand: {@code java.time} formatters cost more than the rest of a record. */
public final class Rfc3339 {

    /** No time; every real one is far from it. */
    public static final long INVALID = Long.MIN_VALUE;

    private static final long FIRST = -62_135_596_800_000L; // 0001-01-01T00:00:00Z
    private static final long LAST = 253_402_300_799_999L; // 9999-12-31T23:59:59.999Z

    private static final int[] DAYS = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    private Rfc3339() {}

    /** Epoch milliseconds of {@code 2026-11-22T19:01:00.123456+01:00}; digits below a millisecond are cut. */
    public static long epochMillis(char[] text, int start, int length) {
        int end = start + length;
        if (length < 20) {
            return INVALID;
        }
        long day = epochDay(text, start, 10);
        char t = text[start + 10];
        int hour = two(text, start + 11);
        int minute = two(text, start + 14);
        int second = two(text, start + 17);
        if (day == INVALID
                || (t != 'T' && t != 't' && t != ' ')
                || text[start + 13] != ':'
                || text[start + 16] != ':'
                || outside(hour, 23)
                || outside(minute, 59)
                || outside(second, 60)) {
            return INVALID;
        }
        int i = start + 19;
        int millis = 0;
        if (text[i] == '.') {
            int digits = 0;
            for (i++; i < end && isDigit(text[i]); i++, digits++) {
                if (digits < 3) {
                    millis = millis * 10 + (text[i] - '0');
                }
            }
            if (digits == 0) {
                return INVALID;
            }
            for (; digits < 3; digits++) {
                millis *= 10;
            }
        }
        int offset = offsetMinutes(text, i, end);
        if (offset == Integer.MIN_VALUE) {
            return INVALID;
        }
        // A leap second (:60) falls on the next second, as in POSIX time.
        long time = ((day * 24 + hour) * 60 + minute - offset) * 60_000L + second * 1000L + millis;
        return isInRange(time) ? time : INVALID;
    }

    /** The years 1 to 9999, which every reader of the topic and a table can hold. */
    public static boolean isInRange(long epochMillis) {
        return epochMillis >= FIRST && epochMillis <= LAST;
    }

    /** {@code 2026-11-22T19:01:00.5Z}: UTC, without zeros at the end of the fraction. */
    public static String text(long epochMillis) {
        StringBuilder text = new StringBuilder(24);
        long seconds = Math.floorDiv(epochMillis, 1000);
        text.append(LocalDateTime.ofEpochSecond(seconds, 0, ZoneOffset.UTC));
        if (text.length() == 16) {
            text.append(":00"); // java.time leaves whole minutes' seconds out
        }
        int millis = (int) Math.floorMod(epochMillis, 1000);
        if (millis > 0) {
            String digits = Integer.toString(1000 + millis).substring(1);
            text.append('.').append(digits.replaceFirst("0+$", ""));
        }
        return text.append('Z').toString();
    }

    /** Days since 1970-01-01 of {@code 2026-11-22}. */
    public static long epochDay(char[] text, int start, int length) {
        if (length != 10 || text[start + 4] != '-' || text[start + 7] != '-') {
            return INVALID;
        }
        int century = two(text, start);
        int yearOfCentury = two(text, start + 2);
        int month = two(text, start + 5);
        int day = two(text, start + 8);
        if (century < 0 || yearOfCentury < 0 || century + yearOfCentury == 0 || month < 1 || month > 12 || day < 1) {
            return INVALID;
        }
        int year = century * 100 + yearOfCentury;
        boolean leap = month == 2 && (year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
        if (day > DAYS[month - 1] + (leap ? 1 : 0)) {
            return INVALID;
        }
        return LocalDate.of(year, month, day).toEpochDay();
    }

    private static int offsetMinutes(char[] text, int i, int end) {
        if (i == end - 1 && (text[i] == 'Z' || text[i] == 'z')) {
            return 0;
        }
        if (i != end - 6 || (text[i] != '+' && text[i] != '-') || text[i + 3] != ':') {
            return Integer.MIN_VALUE;
        }
        int hours = two(text, i + 1);
        int minutes = two(text, i + 4);
        if (outside(hours, 23) || outside(minutes, 59)) {
            return Integer.MIN_VALUE;
        }
        return (text[i] == '-' ? -1 : 1) * (hours * 60 + minutes);
    }

    private static boolean outside(int value, int max) {
        return value < 0 || value > max;
    }

    private static int two(char[] text, int at) {
        char tens = text[at];
        char ones = text[at + 1];
        return isDigit(tens) && isDigit(ones) ? (tens - '0') * 10 + (ones - '0') : -1;
    }

    private static boolean isDigit(char c) {
        return c >= '0' && c <= '9';
    }
}
