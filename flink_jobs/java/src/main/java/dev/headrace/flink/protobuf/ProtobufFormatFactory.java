package dev.headrace.flink.protobuf;

import dev.headrace.flink.format.ColumnRules;
import dev.headrace.flink.format.RecordReader;
import dev.headrace.flink.format.RecordReaderFactory;
import dev.headrace.flink.format.RecordWriterFactory;
import dev.headrace.flink.format.TwoWayFormatFactory;
import dev.headrace.flink.registry.RegisteredSubject;
import java.util.Set;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.table.types.logical.RowType;

/** The format {@code headrace-protobuf}: a message behind the registry's prefix and its message indexes. */
public final class ProtobufFormatFactory extends TwoWayFormatFactory {

    static final ConfigOption<String> DESCRIPTORS =
            text("descriptors", "A FileDescriptorSet in base64, imports first.");
    static final ConfigOption<String> MESSAGE = text("message", "The message's full name.");
    static final ConfigOption<String> DEFINITION =
            text("definition", "The .proto file's text, by which the registry knows a writer's schema.");
    static final ConfigOption<String> INDEXES =
            text("message-indexes", "The message's place in its file: of each level, joined by `;`.");

    @Override
    public String factoryIdentifier() {
        return FAMILY + "protobuf";
    }

    @Override
    protected Set<ConfigOption<?>> ownOptions() {
        return Set.of(DESCRIPTORS, MESSAGE, INDEXES, DEFINITION);
    }

    @Override
    protected RecordReaderFactory records(ReadableConfig options, ColumnRules rules) {
        return new Records(rules, demand(subject(options), SUBJECT.key()), message(options));
    }

    @Override
    protected RecordWriterFactory writers(ReadableConfig options, ColumnRules rules) {
        RegisteredSubject subject = demand(subject(options), SUBJECT.key());
        String definition = demand(options.getOptional(DEFINITION).orElse(null), DEFINITION.key());
        ProtobufMessage message = message(options);
        return columns -> new ProtobufRecordWriter(columns, message, subject.id(definition, "PROTOBUF"));
    }

    private ProtobufMessage message(ReadableConfig options) {
        ProtobufMessage message =
                new ProtobufMessage(
                        demand(options.getOptional(DESCRIPTORS).orElse(null), DESCRIPTORS.key()),
                        demand(options.getOptional(MESSAGE).orElse(null), MESSAGE.key()),
                        demand(options.getOptional(INDEXES).orElse(null), INDEXES.key()));
        message.descriptor();
        return message;
    }

    private record Records(ColumnRules rules, RegisteredSubject subject, ProtobufMessage message)
            implements RecordReaderFactory {

        @Override
        public RecordReader open(RowType columns) {
            return new ProtobufRecordReader(columns, rules, message, subject.open());
        }
    }
}
