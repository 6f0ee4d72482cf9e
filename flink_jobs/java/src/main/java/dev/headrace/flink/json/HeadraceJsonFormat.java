package dev.headrace.flink.json;

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

/** What the planner sees of {@code headrace-json}; it makes the {@link HeadraceJsonDeserializer}. */
final class HeadraceJsonFormat implements ProjectableDecodingFormat<DeserializationSchema<RowData>> {

    private final FieldPaths required;
    private final FieldPaths json;
    private final FieldPaths epochMillis;
    private final boolean keepRaw;

    HeadraceJsonFormat(FieldPaths required, FieldPaths json, FieldPaths epochMillis, boolean keepRaw) {
        this.required = required;
        this.json = json;
        this.epochMillis = epochMillis;
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
            throw new ValidationException("headrace-json gives whole columns, not parts of them");
        }
        return new HeadraceJsonDeserializer(
                (RowType) physical.getLogicalType(),
                projection.toTopLevelIndexes(),
                context.createTypeInformation(projection.project(physical)),
                required,
                json,
                epochMillis,
                keepRaw);
    }

    @Override
    public ChangelogMode getChangelogMode() {
        return ChangelogMode.insertOnly();
    }

    @Override
    public boolean equals(Object other) {
        if (!(other instanceof HeadraceJsonFormat)) {
            return false;
        }
        HeadraceJsonFormat that = (HeadraceJsonFormat) other;
        return required.equals(that.required)
                && json.equals(that.json)
                && epochMillis.equals(that.epochMillis)
                && keepRaw == that.keepRaw;
    }

    @Override
    public int hashCode() {
        return Objects.hash(required, json, epochMillis, keepRaw);
    }
}
