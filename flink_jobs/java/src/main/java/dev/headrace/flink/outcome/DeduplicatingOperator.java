package dev.headrace.flink.outcome;

import java.util.Arrays;
import java.util.Iterator;
import java.util.Map;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.typeutils.base.StringSerializer;
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
 * event time, until the window has passed on the clock. Ids live in shards ({@link IdSelector}) that are swept a few
 * times per window: one timer per shard and sweep, instead of one per id.
 */
final class DeduplicatingOperator extends OutcomeOperator implements Triggerable<Integer, VoidNamespace> {

    private static final long serialVersionUID = 1L;

    private static final int SWEEPS_PER_WINDOW = 8;

    private final long window;
    private final long sweepEvery;
    private final RowData.FieldGetter id;

    /** Id → the event times at which it was used, nearly always one; for the current shard. */
    private transient MapState<String, long[]> usedAt;

    private transient InternalTimerService<VoidNamespace> timers;

    DeduplicatingOperator(RowLayout layout, LateRule late, long window) {
        super(layout, late);
        this.window = window;
        this.sweepEvery = Math.max(1, window / SWEEPS_PER_WINDOW);
        this.id = layout.idGetter();
    }

    @Override
    public void initializeState(StateInitializationContext context) throws Exception {
        super.initializeState(context);
        usedAt =
                context.getKeyedStateStore()
                        .getMapState(
                                new MapStateDescriptor<>(
                                        "used-at", StringSerializer.INSTANCE, LongPrimitiveArraySerializer.INSTANCE));
    }

    @Override
    public void open() throws Exception {
        super.open();
        timers = getInternalTimerService("sweep", VoidNamespaceSerializer.INSTANCE, this);
    }

    @Override
    protected boolean isDuplicate(RowData row, long time) throws Exception {
        Object value = id.getFieldOrNull(row);
        if (value == null) {
            return false;
        }
        String key = value.toString();
        long[] times = usedAt.get(key);
        if (times == null) {
            usedAt.put(key, new long[] {time});
        } else {
            for (long each : times) {
                if (Math.abs(time - each) <= window) {
                    return true;
                }
            }
            long[] more = Arrays.copyOf(times, times.length + 1);
            more[times.length] = time;
            usedAt.put(key, more);
        }
        // Rounded up to the next sweep, so that the rows of a whole interval ask for the same timer.
        long sweep = (Math.floorDiv(forgetAt(time), sweepEvery) + 1) * sweepEvery;
        if (layout.eventTime == RowLayout.NONE) {
            timers.registerProcessingTimeTimer(VoidNamespace.INSTANCE, sweep);
        } else {
            timers.registerEventTimeTimer(VoidNamespace.INSTANCE, sweep);
        }
        return false;
    }

    /** From this time on (of the watermark, or of the clock) a use at {@code time} cannot matter any more. */
    private long forgetAt(long time) {
        return layout.eventTime == RowLayout.NONE ? time + window : late.closed(time + window);
    }

    @Override
    public void onEventTime(InternalTimer<Integer, VoidNamespace> timer) throws Exception {
        sweep(timer.getTimestamp());
    }

    @Override
    public void onProcessingTime(InternalTimer<Integer, VoidNamespace> timer) throws Exception {
        sweep(timer.getTimestamp());
    }

    private void sweep(long now) throws Exception {
        boolean empty = true;
        Iterator<Map.Entry<String, long[]>> entries = usedAt.iterator();
        while (entries.hasNext()) {
            Map.Entry<String, long[]> entry = entries.next();
            long[] kept = kept(entry.getValue(), now);
            if (kept.length == 0) {
                entries.remove();
                continue;
            }
            empty = false;
            if (kept.length < entry.getValue().length) {
                entry.setValue(kept);
            }
        }
        if (empty) {
            usedAt.clear();
        }
    }

    private long[] kept(long[] times, long now) {
        if (times.length == 1) {
            return forgetAt(times[0]) > now ? times : new long[0];
        }
        return Arrays.stream(times).filter(each -> forgetAt(each) > now).toArray();
    }
}
