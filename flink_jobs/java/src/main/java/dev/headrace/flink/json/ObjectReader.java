package dev.headrace.flink.json;

import dev.headrace.flink.format.FieldPaths;
import dev.headrace.flink.format.Malformed;
import java.io.IOException;
import java.util.List;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonParser;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonToken;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.types.logical.RowType;

/** Reads a JSON object into a row: every declared field checked, every other one skipped. */
final class ObjectReader implements ValueReader {

    private final ObjectNames names;
    private final String[] fields;
    private final ValueReader[] readers;
    private final boolean[] required;
    private final Skipper skipper = new Skipper();

    ObjectReader(RowType type, String path, FieldPaths required, FieldPaths json, FieldPaths epochMillis) {
        List<RowType.RowField> columns = type.getFields();
        this.fields = type.getFieldNames().toArray(new String[0]);
        this.names = new ObjectNames(fields);
        this.readers = new ValueReader[fields.length];
        this.required = new boolean[fields.length];
        for (int i = 0; i < fields.length; i++) {
            String fieldPath = FieldPaths.field(path, fields[i]);
            this.required[i] = required.contains(fieldPath);
            this.readers[i] = ValueReaders.of(columns.get(i).getType(), fieldPath, required, json, epochMillis);
        }
    }

    @Override
    public void expectEscapes(boolean expected) {
        skipper.expectEscapes(expected);
        for (ValueReader reader : readers) {
            reader.expectEscapes(expected);
        }
    }

    @Override
    public Object read(JsonParser parser, byte[] message) throws IOException, Malformed {
        if (parser.currentToken() != JsonToken.START_OBJECT) {
            throw ValueReaders.unexpected(parser, "an object");
        }
        GenericRowData row = new GenericRowData(fields.length);
        readInto(parser, message, row);
        return row;
    }

    /** From the object's opening brace to its closing one; {@code row} has at least as many fields as the type. */
    void readInto(JsonParser parser, byte[] message, GenericRowData row) throws IOException, Malformed {
        names.begin();
        String name;
        while ((name = parser.nextFieldName()) != null) {
            int field = names.next(name);
            JsonToken token = parser.nextToken();
            if (field >= fields.length) {
                try {
                    skipper.skip(parser);
                } catch (Malformed malformed) {
                    throw malformed.inside(name);
                }
            } else if (token != JsonToken.VALUE_NULL) {
                try {
                    row.setField(field, readers[field].read(parser, message));
                } catch (Malformed malformed) {
                    throw malformed.inside(name);
                }
            } else if (required[field]) {
                throw new Malformed(name + ": is null, but required");
            }
        }
        for (int i = 0; i < fields.length; i++) {
            if (required[i] && !names.saw(i)) {
                throw new Malformed(fields[i] + ": is missing, but required");
            }
        }
    }
}
