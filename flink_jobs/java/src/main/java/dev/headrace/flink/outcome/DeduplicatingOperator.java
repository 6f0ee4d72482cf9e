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
 * <p>An id is remembered until the watermark says that no row within its window can come any more, and for a window of
 * the watermark's time from the row's arrival at least: the rule {@code none} takes rows of any age, and a retry of an
 * old one must not find its id forgotten. On a topic without event time the clock stands for the watermark. Ids live
 * in shards ({@link IdSelector}) that are swept a few times per window: one timer per shard and sweep, instead of one
 * per id.
 */
final class DeduplicatingOperator extends OutcomeOperator implements Triggerable<Integer, VoidNamespace> {

    private static final long serialVersionUID = 1L;

    private static final int SWEEPS_PER_WINDOW = 8;

    private final long window;
    private final long sweepEvery;
    private final RowData.FieldGetter id;

    /** Id → pairs of a use's event time and until when it is remembered, nearly always one; for the current shard. */
    private transient MapState<String, long[]> uses;

    private transient InternalTimerService<VoidNamespace> timers;

    /** The sweep that each shard asked for last: most rows ask for the same one again. */
    private transient long[] asked;

    DeduplicatingOperator(RowLayout layout, LateRule late, long window) {
        super(layout, late, null);
        this.window = window;
        this.sweepEvery = Math.max(1, window / SWEEPS_PER_WINDOW);
        this.id = layout.idGetter();
    }

    @Override
    public void initializeState(StateInitializationContext context) throws Exception {
        super.initializeState(context);
        uses =
                context.getKeyedStateStore()
                        .getMapState(
                                new MapStateDescriptor<>(
                                        "uses", StringSerializer.INSTANCE, LongPrimitiveArraySerializer.INSTANCE));
    }

    @Override
    public void open() throws Exception {
        super.open();
        timers = getInternalTimerService("sweep", VoidNamespaceSerializer.INSTANCE, this);
        asked = new long[IdSelector.SHARDS];
        Arrays.fill(asked, Long.MIN_VALUE);
    }

    @Override
    protected boolean isDuplicate(RowData row, long time) throws Exception {
        Object value = id.getFieldOrNull(row);
        if (value == null) {
            return false;
        }
        String key = value.toString();
        long[] known = uses.get(key);
        long until = rememberedUntil(time);
        if (known == null) {
            uses.put(key, new long[] {time, until});
        } else {
            for (int at = 0; at < known.length; at += 2) {
                if (Math.abs(time - known[at]) <= window) {
                    return true;
                }
            }
            long[] more = Arrays.copyOf(known, known.length + 2);
            more[known.length] = time;
            more[known.length + 1] = until;
            uses.put(key, more);
        }
        // Rounded up to the next sweep, so that the rows of a whole interval ask for the same timer.
        long sweep = (Math.floorDiv(until, sweepEvery) + 1) * sweepEvery;
        int shard = (Integer) getCurrentKey();
        if (asked[shard] != sweep) {
            asked[shard] = sweep;
            if (layout.eventTime == RowLayout.NONE) {
                timers.registerProcessingTimeTimer(VoidNamespace.INSTANCE, sweep);
            } else {
                timers.registerEventTimeTimer(VoidNamespace.INSTANCE, sweep);
            }
        }
        return false;
    }

    /** From this time on (of the watermark, or of the clock) a use at {@code time}, which comes now, is forgotten. */
    private long rememberedUntil(long time) {
        if (layout.eventTime == RowLayout.NONE) {
            return Math.max(time, timers.currentProcessingTime()) + window;
        }
        return Math.max(late.closed(time + window), watermark + window);
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
        Iterator<Map.Entry<String, long[]>> entries = uses.iterator();
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
            uses.clear();
        }
    }

    private static long[] kept(long[] pairs, long now) {
        long[] kept = new long[pairs.length];
        int length = 0;
        for (int at = 0; at < pairs.length; at += 2) {
            if (pairs[at + 1] > now) {
                kept[length++] = pairs[at];
                kept[length++] = pairs[at + 1];
            }
        }
        return length == pairs.length ? pairs : Arrays.copyOf(kept, length);
    }
}
