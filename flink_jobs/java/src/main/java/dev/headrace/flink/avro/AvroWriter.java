package dev.headrace.flink.avro;

import java.io.IOException;
import org.apache.avro.io.Encoder;

/** Writes one value, not null, of Flink's internal form. */
interface AvroWriter {

    void write(Object value, Encoder out) throws IOException;
}
