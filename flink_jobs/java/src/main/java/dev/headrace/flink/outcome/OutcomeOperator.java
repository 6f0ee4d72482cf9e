package dev.headrace.flink.outcome;

import java.time.Instant;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.typeutils.base.LongSerializer;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.UpdatableRowData;

/**
 * Gives each row its outcome: malformed (by the format), late, or a row; {@link DeduplicatingOperator} adds duplicate.
 *
 * <p>The watermark is part of the state. Flink's window operators restore theirs and drop rows behind it, while a
 * restarted source begins without one: decided by the source's watermark alone, a row that is late for a window would
 * pass here after a restore and be lost.
 */
class OutcomeOperator extends AbstractStreamOperator<RowData> implements OneInputStreamOperator<RowData, RowData> {

    private static final long serialVersionUID = 1L;

    protected final RowLayout layout;
    protected final LateRule late;

    protected transient long watermark;
    private transient ListState<Long> watermarkState;

    private transient Counter read;
    private transient Counter malformed;
    private transient Counter lateRows;
    private transient Counter duplicate;
    private transient Counter used;

    OutcomeOperator(RowLayout layout, LateRule late) {
        this.layout = layout;
        this.late = late;
    }

    @Override
    public void open() throws Exception {
        super.open();
        MetricGroup metrics = getMetricGroup();
        read = metrics.counter("headraceRead");
        malformed = metrics.counter("headraceMalformed");
        lateRows = metrics.counter("headraceLate");
        duplicate = metrics.counter("headraceDuplicate");
        used = metrics.counter("headraceUsed");
    }

    @Override
    public void initializeState(StateInitializationContext context) throws Exception {
        super.initializeState(context);
        watermark = Long.MIN_VALUE;
        watermarkState =
                context.getOperatorStateStore()
                        .getUnionListState(new ListStateDescriptor<>("watermark", LongSerializer.INSTANCE));
        if (context.isRestored()) {
            // The smallest of all instances: a row that no instance had closed must not become late by restoring.
            long smallest = Long.MAX_VALUE;
            for (long each : watermarkState.get()) {
                smallest = Math.min(smallest, each);
            }
            watermark = smallest == Long.MAX_VALUE ? Long.MIN_VALUE : smallest;
        }
    }

    @Override
    public void snapshotState(StateSnapshotContext context) throws Exception {
        super.snapshotState(context);
        watermarkState.clear();
        watermarkState.add(watermark);
    }

    @Override
    public void processWatermark(Watermark mark) throws Exception {
        watermark = Math.max(watermark, mark.getTimestamp());
        super.processWatermark(mark);
    }

    @Override
    public void processElement(StreamRecord<RowData> record) throws Exception {
        RowData row = record.getValue();
        read.inc();
        if (!row.isNullAt(layout.error)) {
            malformed.inc();
            output.collect(record);
            return;
        }
        long time = eventTime(row, record);
        if (watermark >= late.deadline(time)) {
            lateRows.inc();
            output.collect(record.replace(decided(row, Outcome.LATE, lateBecause(time), true)));
        } else if (isDuplicate(row, time)) {
            duplicate.inc();
            output.collect(record.replace(decided(row, Outcome.DUPLICATE, null, false)));
        } else {
            used.inc();
            output.collect(late.isNone() ? record : record.replace(decided(row, Outcome.ROW, null, false)));
        }
    }

    /** Whether the id of this row, which is neither malformed nor late, was used before; if not, it is now. */
    protected boolean isDuplicate(RowData row, long time) throws Exception {
        return false;
    }

    /** The row's event time; on a topic without one, the record's own timestamp. Epoch milliseconds. */
    private long eventTime(RowData row, StreamRecord<RowData> record) {
        if (layout.eventTime == RowLayout.NONE || row.isNullAt(layout.eventTime)) {
            return record.hasTimestamp() ? record.getTimestamp() : Long.MAX_VALUE;
        }
        return row.getTimestamp(layout.eventTime, layout.eventTimePrecision).getMillisecond();
    }

    private StringData lateBecause(long time) {
        return StringData.fromString(
                "event time " + Instant.ofEpochMilli(time) + " is late: the watermark is at "
                        + Instant.ofEpochMilli(watermark));
    }

    private RowData decided(RowData row, StringData outcome, StringData error, boolean keepRaw) {
        if (row instanceof GenericRowData) {
            // Ours alone: made for this record, or copied on the way here when object reuse is off.
            GenericRowData own = (GenericRowData) row;
            own.setField(layout.outcome, outcome);
            own.setField(layout.error, error);
            if (!keepRaw) {
                own.setField(layout.raw, null);
            }
            return own;
        }
        UpdatableRowData changed = new UpdatableRowData(row, row.getArity());
        changed.setField(layout.outcome, outcome);
        changed.setField(layout.error, error);
        if (!keepRaw) {
            changed.setField(layout.raw, null);
        }
        changed.setRowKind(row.getRowKind());
        return changed;
    }
}
