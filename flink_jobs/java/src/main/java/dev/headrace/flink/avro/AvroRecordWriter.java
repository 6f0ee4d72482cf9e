package dev.headrace.flink.avro;

import dev.headrace.flink.format.ColumnRules;
import dev.headrace.flink.format.RecordWriter;
import dev.headrace.flink.registry.WireFormat;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import org.apache.avro.Schema;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.logical.RowType;

/** One row into an Avro record of the topic's schema. */
final class AvroRecordWriter implements RecordWriter {

    private final AvroWriter writer;
    private final int id;
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private BinaryEncoder encoder;

    AvroRecordWriter(RowType columns, ColumnRules rules, Schema schema, int id) {
        this.writer = new AvroWriters(rules).of(schema, columns, "");
        this.id = id;
    }

    @Override
    public byte[] write(RowData row) {
        try {
            bytes.reset();
            for (int i = 0; i < WireFormat.LENGTH; i++) {
                bytes.write(0);
            }
            encoder = EncoderFactory.get().binaryEncoder(bytes, encoder);
            writer.write(row, encoder);
            encoder.flush();
        } catch (IOException e) {
            throw new UncheckedIOException(e); // it writes into memory
        }
        byte[] record = bytes.toByteArray();
        WireFormat.put(id, record);
        return record;
    }
}
