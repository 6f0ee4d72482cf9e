package dev.headrace.flink.format;

import java.util.Objects;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.Projection;
import org.apache.flink.table.connector.format.ProjectableDecodingFormat;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.RowType;

/** What the planner sees of a reading format; it makes the {@link RecordDeserializer}. */
final class RecordFormat implements ProjectableDecodingFormat<DeserializationSchema<RowData>> {

    private final String identifier;
    private final RecordReaderFactory records;
    private final boolean keepRaw;

    RecordFormat(String identifier, RecordReaderFactory records, boolean keepRaw) {
        this.identifier = identifier;
        this.records = records;
        this.keepRaw = keepRaw;
    }

    /**
     * {@code physical} is all that the table declares, {@code projections} what the query uses. Every declared field is
     * read and checked, and only then projected: which record is malformed must not depend on the query.
     */
    @Override
    public DeserializationSchema<RowData> createRuntimeDecoder(
            DynamicTableSource.Context context, DataType physical, int[][] projections) {
        Projection projection = Projection.of(projections);
        if (projection.isNested()) {
            throw new ValidationException(identifier + " gives whole columns, not parts of them");
        }
        return new RecordDeserializer(
                (RowType) physical.getLogicalType(),
                projection.toTopLevelIndexes(),
                context.createTypeInformation(projection.project(physical)),
                records,
                keepRaw);
    }

    @Override
    public ChangelogMode getChangelogMode() {
        return ChangelogMode.insertOnly();
    }

    @Override
    public boolean equals(Object other) {
        if (!(other instanceof RecordFormat)) {
            return false;
        }
        RecordFormat that = (RecordFormat) other;
        return records.equals(that.records) && keepRaw == that.keepRaw;
    }

    @Override
    public int hashCode() {
        return Objects.hash(records, keepRaw);
    }
}
