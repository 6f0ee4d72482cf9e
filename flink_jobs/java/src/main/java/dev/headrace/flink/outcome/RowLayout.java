package dev.headrace.flink.outcome;

import java.io.Serializable;
import java.util.List;
import java.util.Objects;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.catalog.ResolvedSchema;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.LogicalTypeRoot;
import org.apache.flink.table.types.logical.utils.LogicalTypeChecks;

/** Where in a produced row the fields are that the operators read and write. */
final class RowLayout implements Serializable {

    private static final long serialVersionUID = 1L;

    /** The table has no such column. */
    static final int NONE = -1;

    final int outcome;
    final int error;
    final int raw;
    final int key;
    final int eventTime;
    final int eventTimePrecision;
    final int id;
    private final LogicalType idType;

    private RowLayout(ResolvedSchema schema, String idField) {
        List<String> names = DataType.getFieldNames(schema.toPhysicalRowDataType());
        List<DataType> types = DataType.getFieldDataTypes(schema.toPhysicalRowDataType());
        this.outcome = demand(names, types, Outcome.OUTCOME_COLUMN, LogicalTypeRoot.VARCHAR);
        this.error = demand(names, types, Outcome.ERROR_COLUMN, LogicalTypeRoot.VARCHAR);
        this.raw = demand(names, types, Outcome.RAW_COLUMN, LogicalTypeRoot.VARBINARY);
        this.key = names.indexOf(Outcome.KEY_COLUMN);
        String rowtime =
                schema.getWatermarkSpecs().isEmpty() ? null : schema.getWatermarkSpecs().get(0).getRowtimeAttribute();
        this.eventTime = rowtime == null ? NONE : names.indexOf(rowtime);
        if (rowtime != null && eventTime == NONE) {
            throw new ValidationException("the watermark's column `" + rowtime + "` must be a column of the topic");
        }
        this.eventTimePrecision =
                eventTime == NONE ? 0 : LogicalTypeChecks.getPrecision(types.get(eventTime).getLogicalType());
        this.id = idField == null ? NONE : names.indexOf(idField);
        if (idField != null && id == NONE) {
            throw new ValidationException("headrace.id.field = '" + idField + "' is no column of the table");
        }
        this.idType = id == NONE ? null : types.get(id).getLogicalType();
    }

    static RowLayout of(ResolvedSchema schema, String idField) {
        return new RowLayout(schema, idField);
    }

    RowData.FieldGetter idGetter() {
        return RowData.createFieldGetter(idType, id);
    }

    private static int demand(List<String> names, List<DataType> types, String name, LogicalTypeRoot root) {
        int at = names.indexOf(name);
        if (at == NONE || types.get(at).getLogicalType().getTypeRoot() != root) {
            throw new ValidationException(
                    "a table of connector 'headrace' needs the columns `_outcome` STRING, `_error` STRING, `_raw` BYTES");
        }
        return at;
    }

    @Override
    public boolean equals(Object other) {
        if (!(other instanceof RowLayout)) {
            return false;
        }
        RowLayout that = (RowLayout) other;
        return outcome == that.outcome
                && error == that.error
                && raw == that.raw
                && key == that.key
                && eventTime == that.eventTime
                && id == that.id;
    }

    @Override
    public int hashCode() {
        return Objects.hash(outcome, error, raw, key, eventTime, id);
    }
}
