package dev.headrace.flink.avro;

import dev.headrace.flink.format.ColumnRules;
import dev.headrace.flink.format.RecordReader;
import dev.headrace.flink.format.RecordReaderFactory;
import dev.headrace.flink.format.RecordWriter;
import dev.headrace.flink.format.RecordWriterFactory;
import dev.headrace.flink.format.TwoWayFormatFactory;
import dev.headrace.flink.registry.RegisteredSubject;
import java.io.InterruptedIOException;
import java.util.Set;
import org.apache.avro.Schema;
import org.apache.avro.SchemaParseException;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.types.logical.RowType;

/** The format {@code headrace-avro}: Avro behind the registry's prefix, resolved into the table's own schema. */
public final class AvroFormatFactory extends TwoWayFormatFactory {

    static final ConfigOption<String> SCHEMA = text("schema", "The topic's Avro schema, a record, as JSON.");

    @Override
    public String factoryIdentifier() {
        return FAMILY + "avro";
    }

    @Override
    protected Set<ConfigOption<?>> ownOptions() {
        return Set.of(SCHEMA);
    }

    @Override
    protected RecordReaderFactory records(ReadableConfig options, ColumnRules rules) {
        return of(options, rules);
    }

    @Override
    protected RecordWriterFactory writers(ReadableConfig options, ColumnRules rules) {
        return of(options, rules)::write;
    }

    static Schema parse(String text) {
        try {
            Schema schema = new Schema.Parser().parse(text);
            if (schema.getType() == Schema.Type.RECORD) {
                return schema;
            }
        } catch (SchemaParseException e) {
            throw new ValidationException("headrace-avro: the schema is none: " + e.getMessage());
        }
        throw new ValidationException("headrace-avro: the schema is not of a record");
    }

    private Records of(ReadableConfig options, ColumnRules rules) {
        String schema = demand(options.getOptional(SCHEMA).orElse(null), SCHEMA.key());
        parse(schema);
        return new Records(rules, demand(subject(options), SUBJECT.key()), schema);
    }

    private record Records(ColumnRules rules, RegisteredSubject subject, String schema) implements RecordReaderFactory {

        @Override
        public RecordReader open(RowType columns) {
            return new AvroRecordReader(columns, rules, parse(schema), subject.open());
        }

        RecordWriter write(RowType columns) throws InterruptedIOException {
            return new AvroRecordWriter(columns, rules, parse(schema), subject.id(schema, "AVRO"));
        }
    }
}
