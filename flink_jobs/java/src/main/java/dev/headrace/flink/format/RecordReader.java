package dev.headrace.flink.format;

import java.io.IOException;
import org.apache.flink.table.data.GenericRowData;

/** Reads the value of one Kafka record; what the three formats differ in. Used by one thread. */
public interface RecordReader {

    /**
     * Fills the first fields of {@code into}, one per data column in declared order.
     *
     * @param message not null; a value without bytes is the frame's ({@link RecordDeserializer})
     * @throws Malformed when the record is no row; {@code into} may then be half filled
     * @throws IOException only when the task is interrupted, which happens while the registry is away
     */
    void read(byte[] message, GenericRowData into) throws Malformed, IOException;
}
