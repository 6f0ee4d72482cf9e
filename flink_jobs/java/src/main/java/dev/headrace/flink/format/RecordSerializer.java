package dev.headrace.flink.format;

import java.io.IOException;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.format.EncodingFormat;
import org.apache.flink.table.connector.sink.DynamicTableSink;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.RowType;

/** One row into one value of Kafka: last station of a job, for {@code kafka} and {@code upsert-kafka}. */
final class RecordSerializer implements SerializationSchema<RowData> {

    private static final long serialVersionUID = 1L;

    private final RowType columns;
    private final RecordWriterFactory records;
    private transient RecordWriter writer;

    RecordSerializer(RowType columns, RecordWriterFactory records) {
        this.columns = columns;
        this.records = records;
    }

    @Override
    public void open(InitializationContext context) throws IOException {
        writer = records.open(columns);
    }

    @Override
    public byte[] serialize(RowData row) {
        return writer.write(row);
    }

    /** What the planner sees of it. */
    static EncodingFormat<SerializationSchema<RowData>> format(RecordWriterFactory records) {
        return new EncodingFormat<>() {
            @Override
            public SerializationSchema<RowData> createRuntimeEncoder(DynamicTableSink.Context context, DataType type) {
                return new RecordSerializer((RowType) type.getLogicalType(), records);
            }

            @Override
            public ChangelogMode getChangelogMode() {
                return ChangelogMode.insertOnly();
            }
        };
    }
}
