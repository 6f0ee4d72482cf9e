package dev.headrace.flink.format;

import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.table.connector.format.EncodingFormat;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.factories.DynamicTableFactory;
import org.apache.flink.table.factories.FactoryUtil;
import org.apache.flink.table.factories.SerializationFormatFactory;

/** A format that also writes, with the same options: behind the registry's prefix with the id of the table's schema. */
public abstract class TwoWayFormatFactory extends RecordFormatFactory implements SerializationFormatFactory {

    protected abstract RecordWriterFactory writers(ReadableConfig options, ColumnRules rules);

    @Override
    public EncodingFormat<SerializationSchema<RowData>> createEncodingFormat(
            DynamicTableFactory.Context context, ReadableConfig options) {
        FactoryUtil.validateFactoryOptions(this, options);
        return RecordSerializer.format(writers(options, rules(options)));
    }
}
