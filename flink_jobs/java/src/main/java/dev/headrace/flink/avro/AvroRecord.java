package dev.headrace.flink.avro;

import dev.headrace.flink.format.Malformed;
import org.apache.flink.table.data.GenericRowData;

/**
 * Reads a record, field by field in its writer's order, into a row.
 *
 * @param names of the writer's fields
 * @param readers of the writer's fields
 * @param targets the column of each, {@link #NOWHERE} for what no column takes
 * @param required whether that column must not be null
 * @param defaults of the columns that the writer does not have; null where it has them
 */
record AvroRecord(
        String[] names, AvroReader[] readers, int[] targets, boolean[] required, Object[] defaults)
        implements AvroReader {

    static final int NOWHERE = -1;

    @Override
    public Object read(AvroBytes in) throws Malformed {
        GenericRowData row = new GenericRowData(defaults.length);
        readInto(in, row);
        return row;
    }

    void readInto(AvroBytes in, GenericRowData row) throws Malformed {
        for (int i = 0; i < defaults.length; i++) {
            if (defaults[i] != null) {
                row.setField(i, defaults[i]);
            }
        }
        for (int i = 0; i < readers.length; i++) {
            try {
                Object value = readers[i].read(in);
                int target = targets[i];
                if (target != NOWHERE) {
                    if (value == null && required[i]) {
                        throw new Malformed(": is null, but required");
                    }
                    row.setField(target, value);
                }
            } catch (Malformed malformed) {
                throw malformed.inside(names[i]);
            }
        }
    }
}
