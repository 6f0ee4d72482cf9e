package dev.headrace.flink.outcome;

import java.io.Serializable;
import java.util.Objects;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.runtime.operators.window.TimeWindow;

/**
 * When a row of an event time is late. Windows are Flink's, aligned to the epoch in UTC, with the same formula
 * ({@link TimeWindow#getWindowStartWithOffset}), so that no row passes here that a window would silently drop.
 */
final class LateRule implements Serializable {

    private static final long serialVersionUID = 1L;

    enum Rule {
        NONE,
        ROW,
        WINDOW
    }

    enum Kind {
        TUMBLE,
        HOP,
        CUMULATE,
        SESSION
    }

    private final Rule rule;
    private final Kind kind;
    private final long size;
    private final long slide;
    private final long offset;

    /** Another operator has decided by this rule already. */
    private final boolean decided;

    LateRule(Rule rule, Kind kind, long size, long slide, long offset) {
        this(rule, kind, size, slide, offset, false);
    }

    private LateRule(Rule rule, Kind kind, long size, long slide, long offset, boolean decided) {
        this.rule = rule;
        this.kind = kind;
        this.size = size;
        this.slide = slide;
        this.offset = offset;
        this.decided = decided;
    }

    static LateRule of(ReadableConfig options) {
        Rule rule = options.get(HeadraceOptions.LATE_RULE);
        Kind kind = options.getOptional(HeadraceOptions.LATE_KIND).orElse(null);
        long size = options.getOptional(HeadraceOptions.LATE_SIZE).map(d -> d.toMillis()).orElse(0L);
        long slide = options.getOptional(HeadraceOptions.LATE_SLIDE).map(d -> d.toMillis()).orElse(0L);
        long offset = options.get(HeadraceOptions.LATE_OFFSET).toMillis();
        if (rule == Rule.WINDOW && (kind == null || size <= 0)) {
            throw new ValidationException("headrace.late.rule = 'window' needs headrace.late.kind and headrace.late.size");
        }
        if (rule == Rule.WINDOW && kind == Kind.HOP && slide <= 0) {
            throw new ValidationException("headrace.late.kind = 'hop' needs headrace.late.slide");
        }
        return new LateRule(rule, kind, size, slide, offset);
    }

    /** The rule behind an operator that has called rows late by it: nothing more is late, the rest is as before. */
    LateRule decided() {
        return new LateRule(rule, kind, size, slide, offset, true);
    }

    boolean isSession() {
        return rule == Rule.WINDOW && kind == Kind.SESSION;
    }

    /** The gap of session windows, in milliseconds. */
    long gap() {
        return size;
    }

    boolean isNone() {
        return rule == Rule.NONE;
    }

    /** The watermark (epoch ms) from which on a row of this event time is late; never, for the rule {@code none}. */
    long deadline(long eventTime) {
        return decided ? Long.MAX_VALUE : end(eventTime);
    }

    private long end(long eventTime) {
        switch (rule) {
            case NONE:
                return Long.MAX_VALUE;
            case ROW:
                return eventTime;
            default:
                return lastWindowEnd(eventTime) - 1;
        }
    }

    /** The watermark from which on no row of this event time or an earlier one can come any more. */
    long closed(long eventTime) {
        return rule == Rule.NONE ? eventTime : end(eventTime);
    }

    private long lastWindowEnd(long eventTime) {
        switch (kind) {
            case SESSION:
                // Of the session that the row alone would make; SessionOperator knows those that are open.
                return eventTime + size;
            case HOP:
                return TimeWindow.getWindowStartWithOffset(eventTime, offset, slide) + size;
            default:
                return TimeWindow.getWindowStartWithOffset(eventTime, offset, size) + size;
        }
    }

    @Override
    public boolean equals(Object other) {
        if (!(other instanceof LateRule)) {
            return false;
        }
        LateRule that = (LateRule) other;
        return rule == that.rule
                && kind == that.kind
                && size == that.size
                && slide == that.slide
                && offset == that.offset
                && decided == that.decided;
    }

    @Override
    public int hashCode() {
        return Objects.hash(rule, kind, size, slide, offset, decided);
    }
}
