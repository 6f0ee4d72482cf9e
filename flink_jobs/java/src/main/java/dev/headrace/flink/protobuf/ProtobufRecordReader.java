package dev.headrace.flink.protobuf;

import com.google.protobuf.CodedInputStream;
import dev.headrace.flink.format.ColumnRules;
import dev.headrace.flink.format.Malformed;
import dev.headrace.flink.format.RecordReader;
import dev.headrace.flink.registry.SchemaIds;
import dev.headrace.flink.registry.WireFormat;
import java.io.IOException;
import java.io.InterruptedIOException;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.types.logical.RowType;

/** One message of Protobuf into the columns of its fields, by their numbers. */
final class ProtobufRecordReader implements RecordReader {

    private final MessageIndexes indexes;
    private final MessageReader reader;
    private final SchemaIds ids;

    ProtobufRecordReader(RowType columns, ColumnRules rules, ProtobufMessage message, SchemaIds ids) {
        this.indexes = new MessageIndexes(message.indexes());
        this.reader = MessageReader.of(message.descriptor(), columns, "", rules);
        this.ids = ids;
    }

    @Override
    public void read(byte[] message, GenericRowData into) throws Malformed, InterruptedIOException {
        ids.check(WireFormat.id(message));
        CodedInputStream in =
                CodedInputStream.newInstance(message, WireFormat.LENGTH, message.length - WireFormat.LENGTH);
        try {
            indexes.check(in);
            reader.begin(into);
            reader.readFields(in, into);
            reader.finish(into);
        } catch (IOException e) {
            // It reads from memory; nothing else can be wrong than the record.
            throw new Malformed("not a message: " + e.getMessage());
        }
    }
}
