package dev.headrace.flink.protobuf;

import com.google.protobuf.CodedOutputStream;
import com.google.protobuf.Message;
import dev.headrace.flink.format.RecordWriter;
import dev.headrace.flink.registry.WireFormat;
import java.io.IOException;
import java.io.UncheckedIOException;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.logical.RowType;

/** One row into a message of the topic's schema. */
final class ProtobufRecordWriter implements RecordWriter {

    private final MessageWriter writer;
    private final byte[] prefix;

    ProtobufRecordWriter(RowType columns, ProtobufMessage message, int id) {
        this.writer = new MessageWriter(message.descriptor(), columns, "");
        byte[] indexes = new MessageIndexes(message.indexes()).bytes();
        this.prefix = new byte[WireFormat.LENGTH + indexes.length];
        WireFormat.put(id, prefix);
        System.arraycopy(indexes, 0, prefix, WireFormat.LENGTH, indexes.length);
    }

    @Override
    public byte[] write(RowData row) {
        Message message = writer.message(row);
        int length = message.getSerializedSize();
        byte[] record = new byte[prefix.length + length];
        System.arraycopy(prefix, 0, record, 0, prefix.length);
        try {
            message.writeTo(CodedOutputStream.newInstance(record, prefix.length, length));
        } catch (IOException e) {
            throw new UncheckedIOException(e); // it writes into memory
        }
        return record;
    }
}
