package dev.headrace.flink.json;

import dev.headrace.flink.format.ColumnRules;
import dev.headrace.flink.format.Malformed;
import dev.headrace.flink.format.RecordReader;
import dev.headrace.flink.format.Utf8;
import dev.headrace.flink.registry.SchemaIds;
import dev.headrace.flink.registry.WireFormat;
import java.io.IOException;
import java.util.Arrays;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonFactory;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonParser;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonProcessingException;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonToken;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.types.logical.RowType;

/** One JSON object into the columns of its fields, off Jackson's token stream. */
final class JsonRecordReader implements RecordReader {

    private final JsonFactory factory = new JsonFactory();
    private final ObjectReader reader;
    private final SchemaIds ids;

    /** @param ids null without a registry: then a prefix is no JSON */
    JsonRecordReader(RowType columns, ColumnRules rules, SchemaIds ids) {
        this.reader = new ObjectReader(columns, "", rules.required(), rules.json(), rules.epochMillis());
        this.ids = ids;
    }

    @Override
    public void read(byte[] message, GenericRowData into) throws Malformed, IOException {
        if (ids != null && message.length > 0 && message[0] == WireFormat.MAGIC) {
            ids.check(WireFormat.id(message));
            readPlain(Arrays.copyOfRange(message, WireFormat.LENGTH, message.length), into);
        } else {
            readPlain(message, into);
        }
    }

    private void readPlain(byte[] message, GenericRowData into) throws Malformed {
        // Jackson would guess UTF-16 or UTF-32 from zero bytes and skip a byte order mark: neither is plain UTF-8 JSON.
        if (message.length > 1 && (message[0] == 0 || message[1] == 0)) {
            throw new Malformed("not JSON: zero bytes at the start");
        }
        if (message.length > 0 && (message[0] & 0xff) >= 0xef) {
            throw new Malformed("not JSON: starts with a byte order mark or with bytes that are no text");
        }
        int text = Utf8.inspect(message);
        if (text == Utf8.INVALID) {
            throw new Malformed("not UTF-8");
        }
        reader.expectEscapes(text == Utf8.ESCAPED);
        try (JsonParser parser = factory.createParser(message)) {
            JsonToken first = parser.nextToken();
            if (first == null) {
                throw new Malformed("not JSON: the value is empty");
            }
            if (first != JsonToken.START_OBJECT) {
                throw new Malformed("the value is " + Tokens.describe(parser) + ", not an object");
            }
            reader.readInto(parser, message, into);
            if (parser.nextToken() != null) {
                throw new Malformed("not JSON: something follows the object");
            }
        } catch (JsonProcessingException e) {
            String where = e.getLocation() == null ? "" : " at byte " + e.getLocation().getByteOffset();
            throw new Malformed("not JSON" + where + ": " + e.getOriginalMessage());
        } catch (IOException e) {
            // The parser reads from memory; nothing else can be wrong than the record.
            throw new Malformed("not JSON: " + e.getMessage());
        }
    }
}
