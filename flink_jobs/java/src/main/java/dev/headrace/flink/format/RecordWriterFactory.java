package dev.headrace.flink.format;

import java.io.IOException;
import java.io.Serializable;
import org.apache.flink.table.types.logical.RowType;

/** Travels with the job and makes the writer where it runs. */
public interface RecordWriterFactory extends Serializable {

    /**
     * Asks the registry for the schema's id and waits while it is away.
     *
     * @throws IOException when the task is interrupted meanwhile
     * @throws Unwritable when the schema is not registered
     */
    RecordWriter open(RowType columns) throws IOException;
}
