package dev.headrace.flink.outcome;

import dev.headrace.flink.format.Malformed;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;

/**
 * Gives each row its outcome: malformed (by the format), late, deleted, or a row; {@link DeduplicatingOperator} adds
 * duplicate. Of session windows {@link SessionOperator} has decided before which rows are late.
 */
class OutcomeOperator extends WatermarkOperator {

    private static final long serialVersionUID = 1L;

    /** How a tombstone's key is read; null where the input is not compacted. */
    private final CompactedKey compacted;

    private transient CompactedKey.Reader tombstones;
    private transient Counter read;
    private transient Counter malformed;
    private transient Counter lateRows;
    private transient Counter duplicate;
    private transient Counter used;

    OutcomeOperator(RowLayout layout, LateRule late, CompactedKey compacted) {
        super(layout, late);
        this.compacted = compacted;
    }

    @Override
    public void open() throws Exception {
        super.open();
        tombstones = compacted == null ? null : compacted.open();
        MetricGroup metrics = getMetricGroup();
        read = metrics.counter("headraceRead");
        malformed = metrics.counter("headraceMalformed");
        lateRows = metrics.counter("headraceLate");
        duplicate = metrics.counter("headraceDuplicate");
        used = metrics.counter("headraceUsed");
    }

    @Override
    public void processElement(StreamRecord<RowData> record) throws Exception {
        RowData row = record.getValue();
        read.inc();
        if (!row.isNullAt(layout.error)) {
            processNoRow(row, record);
            return;
        }
        long time = eventTime(row, record);
        if (watermark >= late.deadline(time)) {
            lateRows.inc();
            output.collect(record.replace(late(row, time)));
        } else if (isDuplicate(row, time)) {
            duplicate.inc();
            output.collect(record.replace(decided(row, Outcome.DUPLICATE, null, false)));
        } else {
            used.inc();
            output.collect(late.isNone() ? record : record.replace(decided(row, Outcome.ROW, null, false)));
        }
    }

    private void processNoRow(RowData row, StreamRecord<RowData> record) {
        if (row.getString(layout.outcome).equals(Outcome.LATE)) {
            lateRows.inc();
            output.collect(record);
        } else if (tombstones != null && row.isNullAt(layout.raw)) {
            try {
                RowData deleted = tombstones.read(row, eventTime(row, record));
                used.inc();
                output.collect(record.replace(decided(deleted, Outcome.DELETED, null, false)));
            } catch (Malformed why) {
                malformed.inc();
                StringData error = StringData.fromString("a tombstone whose key is none: " + why.getMessage());
                output.collect(record.replace(decided(row, Outcome.MALFORMED, error, false)));
            }
        } else {
            malformed.inc();
            output.collect(record);
        }
    }

    /** Whether the id of this row, which is neither malformed nor late, was used before; if not, it is now. */
    protected boolean isDuplicate(RowData row, long time) throws Exception {
        return false;
    }
}
