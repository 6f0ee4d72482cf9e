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
import org.apache.flink.table.data.RowData;

/**
 * {@link OutcomeOperator} keyed by id: a row is a duplicate when its id was used within the id's window of event time.
 *
 * <p>An id is remembered until the watermark says that no row within its window can come any more; on a topic without
 * event time, until the window has passed on the clock.
 */
final class DeduplicatingOperator extends OutcomeOperator implements Triggerable<String, VoidNamespace> {

    private static final long serialVersionUID = 1L;

    private final long window;

    /** The event times at which the current id was used: nearly always one. */
    private transient ValueState<long[]> usedAt;

    private transient InternalTimerService<VoidNamespace> timers;

    DeduplicatingOperator(RowLayout layout, LateRule late, long window) {
        super(layout, late);
        this.window = window;
    }

    @Override
    public void initializeState(StateInitializationContext context) throws Exception {
        super.initializeState(context);
        usedAt =
                context.getKeyedStateStore()
                        .getState(new ValueStateDescriptor<>("used-at", LongPrimitiveArraySerializer.INSTANCE));
    }

    @Override
    public void open() throws Exception {
        super.open();
        timers = getInternalTimerService("forget", VoidNamespaceSerializer.INSTANCE, this);
    }

    @Override
    protected boolean isDuplicate(RowData row, long time) throws Exception {
        if (row.isNullAt(layout.id)) {
            return false;
        }
        long[] times = usedAt.value();
        if (times == null) {
            usedAt.update(new long[] {time});
        } else {
            for (long each : times) {
                if (Math.abs(time - each) <= window) {
                    return true;
                }
            }
            long[] more = Arrays.copyOf(times, times.length + 1);
            more[times.length] = time;
            usedAt.update(more);
        }
        if (layout.eventTime == RowLayout.NONE) {
            timers.registerProcessingTimeTimer(VoidNamespace.INSTANCE, time + window);
        } else {
            timers.registerEventTimeTimer(VoidNamespace.INSTANCE, forgetAt(time));
        }
        return false;
    }

    private long forgetAt(long time) {
        return late.closed(time + window);
    }

    @Override
    public void onEventTime(InternalTimer<String, VoidNamespace> timer) throws Exception {
        forget(timer.getTimestamp());
    }

    @Override
    public void onProcessingTime(InternalTimer<String, VoidNamespace> timer) throws Exception {
        forget(timer.getTimestamp());
    }

    private void forget(long now) throws Exception {
        long[] times = usedAt.value();
        if (times == null) {
            return;
        }
        long[] kept = new long[times.length];
        int count = 0;
        for (long each : times) {
            long end = layout.eventTime == RowLayout.NONE ? each + window : forgetAt(each);
            if (end > now) {
                kept[count++] = each;
            }
        }
        if (count == 0) {
            usedAt.clear();
        } else if (count < times.length) {
            usedAt.update(Arrays.copyOf(kept, count));
        }
    }
}
