package dev.headrace.flink.outcome;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.catalog.ResolvedSchema;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.LogicalTypeRoot;

/** Whose sessions a row belongs to: the fields of the session window's PARTITION BY, as one text. */
record SessionKey(List<Field> fields) implements KeySelector<RowData, String> {

    private static final Set<LogicalTypeRoot> SINGLE =
            Set.of(
                    LogicalTypeRoot.VARCHAR,
                    LogicalTypeRoot.BIGINT,
                    LogicalTypeRoot.DOUBLE,
                    LogicalTypeRoot.BOOLEAN,
                    LogicalTypeRoot.DATE,
                    LogicalTypeRoot.DECIMAL,
                    LogicalTypeRoot.VARBINARY,
                    LogicalTypeRoot.TIMESTAMP_WITH_LOCAL_TIME_ZONE);

    private record Field(int column, LogicalType type, RowData.FieldGetter getter) implements Serializable {

        /** By what the planner compares sources: getters are functions and never equal. */
        @Override
        public boolean equals(Object other) {
            return other instanceof Field && column == ((Field) other).column && type.equals(((Field) other).type);
        }

        @Override
        public int hashCode() {
            return 31 * column + type.hashCode();
        }
    }

    /** @param names the fields, joined by {@code ;} */
    static SessionKey of(String names, ResolvedSchema schema) {
        List<String> columns = DataType.getFieldNames(schema.toPhysicalRowDataType());
        List<DataType> types = DataType.getFieldDataTypes(schema.toPhysicalRowDataType());
        List<Field> fields = new ArrayList<>();
        for (String name : names.split(";")) {
            int at = columns.indexOf(name);
            if (at < 0) {
                throw new ValidationException("headrace.late.partition: `" + name + "` is no column of the table");
            }
            LogicalType type = types.get(at).getLogicalType();
            if (!SINGLE.contains(type.getTypeRoot())) {
                throw new ValidationException("headrace.late.partition: `" + name + "` is not a single value");
            }
            fields.add(new Field(at, type, RowData.createFieldGetter(type, at)));
        }
        return new SessionKey(List.copyOf(fields));
    }

    @Override
    public String getKey(RowData row) {
        StringBuilder key = new StringBuilder();
        for (Field field : fields) {
            Object value = field.getter.getFieldOrNull(row);
            if (value == null) {
                key.append('-'); // as in Flink, rows without a value are of one key
                continue;
            }
            String text = value instanceof byte[] ? Arrays.toString((byte[]) value) : value.toString();
            // With its length, so that no two keys spell the same text.
            key.append(text.length()).append(':').append(text);
        }
        return key.toString();
    }
}
