package dev.headrace.flink.format;

import java.io.Serializable;
import org.apache.flink.table.types.logical.RowType;

/** Travels with the job and makes the reader where it runs. Equal factories read alike: the planner compares them. */
public interface RecordReaderFactory extends Serializable {

    /** @param columns the data columns, without {@code _outcome}, {@code _error} and {@code _raw} */
    RecordReader open(RowType columns);
}
