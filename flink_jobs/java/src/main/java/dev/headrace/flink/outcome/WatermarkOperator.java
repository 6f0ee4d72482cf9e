package dev.headrace.flink.outcome;

import java.time.Instant;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.typeutils.base.LongSerializer;
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
 * What the operators that decide by the watermark have in common.
 *
 * <p>The watermark is part of the state. Flink's window operators restore theirs and drop rows behind it, while a
 * restarted source begins without one: decided by the source's watermark alone, a row that is late for a window would
 * pass here after a restore and be lost.
 */
abstract class WatermarkOperator extends AbstractStreamOperator<RowData>
        implements OneInputStreamOperator<RowData, RowData> {

    private static final long serialVersionUID = 1L;

    protected final RowLayout layout;
    protected final LateRule late;

    protected transient long watermark;
    private transient ListState<Long> watermarkState;

    WatermarkOperator(RowLayout layout, LateRule late) {
        this.layout = layout;
        this.late = late;
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

    /** The row's event time; on a topic without one, the record's own timestamp. Epoch milliseconds. */
    protected final long eventTime(RowData row, StreamRecord<RowData> record) {
        if (layout.eventTime == RowLayout.NONE || row.isNullAt(layout.eventTime)) {
            return record.hasTimestamp() ? record.getTimestamp() : Long.MAX_VALUE;
        }
        return row.getTimestamp(layout.eventTime, layout.eventTimePrecision).getMillisecond();
    }

    protected final RowData late(RowData row, long time) {
        StringData why =
                StringData.fromString(
                        "event time " + Instant.ofEpochMilli(time) + " is late: the watermark is at "
                                + Instant.ofEpochMilli(watermark));
        return decided(row, Outcome.LATE, why, true);
    }

    protected final RowData decided(RowData row, StringData outcome, StringData error, boolean keepRaw) {
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
