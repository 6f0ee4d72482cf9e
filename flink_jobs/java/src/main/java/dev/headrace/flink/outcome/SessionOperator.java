package dev.headrace.flink.outcome;

import java.util.Arrays;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeutils.base.array.LongPrimitiveArraySerializer;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.state.VoidNamespace;
import org.apache.flink.runtime.state.VoidNamespaceSerializer;
import org.apache.flink.streaming.api.operators.InternalTimer;
import org.apache.flink.streaming.api.operators.InternalTimerService;
import org.apache.flink.streaming.api.operators.Triggerable;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.table.data.RowData;

/**
 * Calls late what a session window would drop, keyed like the window ({@link SessionKey}).
 *
 * <p>Flink gives a row the window from its time to a gap later, merges it with the open sessions of its key that it
 * overlaps or touches, and drops it when what comes of that has ended. So a row whose own gap has passed counts while a
 * session of its key reaches to it. The open sessions are kept here in the same way; whatever is used belongs to one.
 */
final class SessionOperator extends WatermarkOperator implements Triggerable<String, VoidNamespace> {

    private static final long serialVersionUID = 1L;

    /** The open sessions of a key: pairs of start and end. Before them when the key's timer goes off. */
    private transient ValueState<long[]> sessions;

    private transient InternalTimerService<VoidNamespace> timers;

    SessionOperator(RowLayout layout, LateRule late) {
        super(layout, late);
    }

    @Override
    public void initializeState(StateInitializationContext context) throws Exception {
        super.initializeState(context);
        sessions =
                context.getKeyedStateStore()
                        .getState(new ValueStateDescriptor<>("sessions", LongPrimitiveArraySerializer.INSTANCE));
    }

    @Override
    public void open() throws Exception {
        super.open();
        timers = getInternalTimerService("ends", VoidNamespaceSerializer.INSTANCE, this);
    }

    @Override
    public void processElement(StreamRecord<RowData> record) throws Exception {
        RowData row = record.getValue();
        if (!row.isNullAt(layout.error)) {
            output.collect(record);
            return;
        }
        long time = eventTime(row, record);
        if (join(time)) {
            output.collect(record);
        } else {
            output.collect(record.replace(late(row, time)));
        }
    }

    /** Adds a row at {@code time} to the sessions of the current key; false when all that would take it have ended. */
    private boolean join(long time) throws Exception {
        long[] known = sessions.value();
        long start = time;
        long end = time + late.gap();
        boolean open = isOpen(end);
        long[] next = new long[known == null ? 3 : known.length + 2];
        int length = 1;
        if (known != null) {
            for (int at = 1; at < known.length; at += 2) {
                if (!isOpen(known[at + 1])) {
                    continue;
                }
                if (known[at] <= time && known[at + 1] >= end) {
                    return true; // inside: nothing changes
                }
                if (known[at] <= end && known[at + 1] >= start) {
                    start = Math.min(start, known[at]);
                    end = Math.max(end, known[at + 1]);
                    open = true;
                } else {
                    next[length++] = known[at];
                    next[length++] = known[at + 1];
                }
            }
        }
        if (!open) {
            return false;
        }
        next[length++] = start;
        next[length++] = end;
        if (known == null) {
            // One timer per key, moved when it goes off: a session grows with nearly each of its rows.
            next[0] = end - 1;
            timers.registerEventTimeTimer(VoidNamespace.INSTANCE, next[0]);
        } else {
            next[0] = known[0];
        }
        sessions.update(length == next.length ? next : Arrays.copyOf(next, length));
        return true;
    }

    private boolean isOpen(long end) {
        return end - 1 > watermark;
    }

    @Override
    public void onEventTime(InternalTimer<String, VoidNamespace> timer) throws Exception {
        long[] known = sessions.value();
        if (known == null) {
            return;
        }
        long[] next = new long[known.length];
        int length = 1;
        long earliest = Long.MAX_VALUE;
        for (int at = 1; at < known.length; at += 2) {
            if (isOpen(known[at + 1])) {
                next[length++] = known[at];
                next[length++] = known[at + 1];
                earliest = Math.min(earliest, known[at + 1] - 1);
            }
        }
        if (length == 1) {
            sessions.clear();
            return;
        }
        next[0] = earliest;
        timers.registerEventTimeTimer(VoidNamespace.INSTANCE, earliest);
        sessions.update(Arrays.copyOf(next, length));
    }

    @Override
    public void onProcessingTime(InternalTimer<String, VoidNamespace> timer) {
        throw new IllegalStateException("sessions have no timers of the clock");
    }
}
