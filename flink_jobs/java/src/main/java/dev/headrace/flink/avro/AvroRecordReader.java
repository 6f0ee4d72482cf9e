package dev.headrace.flink.avro;

import dev.headrace.flink.format.ColumnRules;
import dev.headrace.flink.format.Malformed;
import dev.headrace.flink.format.RecordReader;
import dev.headrace.flink.registry.RegisteredSchema;
import dev.headrace.flink.registry.SchemaIds;
import dev.headrace.flink.registry.WireFormat;
import java.io.InterruptedIOException;
import java.util.HashMap;
import java.util.Map;
import org.apache.avro.AvroRuntimeException;
import org.apache.avro.NameValidator;
import org.apache.avro.Resolver;
import org.apache.avro.Schema;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.types.logical.RowType;

/** One Avro record, by its writer's schema, into the columns of the topic's; the readers are kept per schema id. */
final class AvroRecordReader implements RecordReader {

    private final RowType columns;
    private final ColumnRules rules;
    private final Schema schema;
    private final SchemaIds ids;

    private final Map<Integer, Writer> writers = new HashMap<>();
    private Writer last;
    private int lastId;

    AvroRecordReader(RowType columns, ColumnRules rules, Schema schema, SchemaIds ids) {
        this.columns = columns;
        this.rules = rules;
        this.schema = schema;
        this.ids = ids;
        // The table's own schema can be read into its columns, or the job does not start.
        readers().record(Resolver.resolve(schema, schema), columns, "");
    }

    @Override
    public void read(byte[] message, GenericRowData into) throws Malformed, InterruptedIOException {
        int id = WireFormat.id(message);
        if (last == null || id != lastId) {
            last = writer(id);
            lastId = id;
        }
        if (last.refusal != null) {
            throw last.refusal;
        }
        AvroBytes in = new AvroBytes(message, WireFormat.LENGTH);
        last.reader.readInto(in, into);
        if (in.remaining() > 0) {
            throw new Malformed("goes on for " + in.remaining() + " bytes after the record");
        }
    }

    private Writer writer(int id) throws Malformed, InterruptedIOException {
        Writer known = writers.get(id);
        if (known == null) {
            ids.check(id);
            known = resolved(id, ids.schema(id));
            writers.put(id, known);
        }
        return known;
    }

    private Writer resolved(int id, RegisteredSchema written) {
        String what = "the writer's schema (id " + id + ") cannot be resolved into the topic's: ";
        try {
            Resolver.Action action = Resolver.resolve(Schema.applyAliases(parse(written), schema), schema);
            if (action instanceof Resolver.RecordAdjust) {
                return new Writer(readers().record(action, columns, ""), null);
            }
            return new Writer(null, new Malformed(what + AvroReaders.reason(action)));
        } catch (AvroRuntimeException e) {
            return new Writer(null, new Malformed(what + e.getMessage()));
        }
    }

    /** Names and defaults were the registry's to check; what it took is read. */
    private static Schema parse(RegisteredSchema written) {
        Schema.Parser parser = new Schema.Parser(NameValidator.NO_VALIDATION).setValidateDefaults(false);
        written.references().forEach(parser::parse);
        return parser.parse(written.text());
    }

    private AvroReaders readers() {
        return new AvroReaders(rules);
    }

    /** Either of the two is null. */
    private record Writer(AvroRecord reader, Malformed refusal) {}
}
