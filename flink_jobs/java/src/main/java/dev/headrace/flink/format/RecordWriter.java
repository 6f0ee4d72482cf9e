package dev.headrace.flink.format;

import org.apache.flink.table.data.RowData;

/** Writes a row as the bytes of a record, the registry's prefix included. Used by one thread. */
public interface RecordWriter {

    /** @throws Unwritable when the schema cannot hold a value of the row */
    byte[] write(RowData row);
}
