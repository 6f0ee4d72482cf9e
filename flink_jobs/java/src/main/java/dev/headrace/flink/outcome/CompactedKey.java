package dev.headrace.flink.outcome;

import dev.headrace.flink.format.ColumnRules;
import dev.headrace.flink.format.FieldPaths;
import dev.headrace.flink.format.Malformed;
import dev.headrace.flink.format.RecordReader;
import dev.headrace.flink.format.Utf8;
import dev.headrace.flink.json.JsonFormatFactory;
import java.io.IOException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.catalog.ResolvedSchema;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.data.UpdatableRowData;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.LogicalTypeRoot;
import org.apache.flink.table.types.logical.RowType;

/**
 * What a tombstone of a compacted input says: the key whose rows end there. One STRING field is the key's text, anything
 * else a JSON object of the fields (docs/reference/contracts.md, "Records").
 */
record CompactedKey(RowType fields, List<Integer> targets, RowLayout layout) implements Serializable {

    /** @param names the key's fields, joined by {@code ;} */
    static CompactedKey of(String names, ResolvedSchema schema, RowLayout layout) {
        List<String> columns = DataType.getFieldNames(schema.toPhysicalRowDataType());
        List<DataType> types = DataType.getFieldDataTypes(schema.toPhysicalRowDataType());
        List<RowType.RowField> fields = new ArrayList<>();
        List<Integer> targets = new ArrayList<>();
        for (String name : names.split(";")) {
            int at = columns.indexOf(name);
            if (at < 0) {
                throw new ValidationException("headrace.compacted.key: `" + name + "` is no column of the table");
            }
            targets.add(at);
            fields.add(new RowType.RowField(name, types.get(at).getLogicalType()));
        }
        if (layout.key == RowLayout.NONE) {
            throw new ValidationException("headrace.compacted.key needs the column `_key` BYTES");
        }
        return new CompactedKey(new RowType(fields), targets, layout);
    }

    Reader open() {
        return new Reader(this);
    }

    static final class Reader {
        private final CompactedKey key;
        private final boolean plain;
        private final RecordReader json;

        private Reader(CompactedKey key) {
            this.key = key;
            this.plain = key.fields.getFieldCount() == 1
                    && key.fields.getTypeAt(0).getTypeRoot() == LogicalTypeRoot.VARCHAR;
            Set<String> required = new HashSet<>();
            key.fields.getFieldNames().forEach(name -> required.add(FieldPaths.field("", name)));
            FieldPaths none = FieldPaths.parse("");
            this.json = JsonFormatFactory.plain(key.fields, new ColumnRules(FieldPaths.of(required), none, none));
        }

        /** A row of the tombstone's key and its time (epoch milliseconds); all else is null. */
        RowData read(RowData row, long time) throws Malformed {
            RowLayout layout = key.layout;
            if (row.isNullAt(layout.key)) {
                throw new Malformed("the record has none");
            }
            byte[] bytes = row.getBinary(layout.key);
            GenericRowData values = new GenericRowData(key.fields.getFieldCount());
            if (plain) {
                StringData text = Utf8.text(bytes.clone());
                if (text == null) {
                    throw new Malformed("not UTF-8");
                }
                values.setField(0, text);
            } else {
                try {
                    json.read(bytes, values);
                } catch (IOException e) {
                    throw new Malformed(String.valueOf(e.getMessage()));
                }
            }
            return filled(row, values, time);
        }

        private RowData filled(RowData row, GenericRowData values, long time) {
            // A tombstone is rare: a row of its own, whatever form the row came in.
            UpdatableRowData changed = new UpdatableRowData(row, row.getArity());
            for (int i = 0; i < values.getArity(); i++) {
                changed.setField(key.targets.get(i), values.getField(i));
            }
            if (key.layout.eventTime != RowLayout.NONE) {
                changed.setField(key.layout.eventTime, TimestampData.fromEpochMillis(time));
            }
            changed.setRowKind(row.getRowKind());
            return changed;
        }
    }
}
