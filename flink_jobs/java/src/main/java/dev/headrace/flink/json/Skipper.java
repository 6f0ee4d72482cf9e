package dev.headrace.flink.json;

import dev.headrace.flink.format.Malformed;
import dev.headrace.flink.format.Utf8;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonParser;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonToken;

/** Passes over a value that no column takes, in the same strictness: a name that comes twice is seen here too. */
final class Skipper {

    private final List<ObjectNames> byDepth = new ArrayList<>();

    private boolean escapes;

    void expectEscapes(boolean expected) {
        escapes = expected;
    }

    /** From the value's first token to its last. */
    void skip(JsonParser parser) throws IOException, Malformed {
        skip(parser, 0);
    }

    private void skip(JsonParser parser, int depth) throws IOException, Malformed {
        JsonToken token = parser.currentToken();
        if (token == JsonToken.VALUE_STRING) {
            if (escapes && !Utf8.isPaired(parser.getText())) {
                throw new Malformed(": has half a surrogate pair, which is no character");
            }
        } else if (token == JsonToken.START_ARRAY) {
            while (parser.nextToken() != JsonToken.END_ARRAY) {
                skip(parser, depth);
            }
        } else if (token == JsonToken.START_OBJECT) {
            if (depth == byDepth.size()) {
                byDepth.add(new ObjectNames());
            }
            ObjectNames names = byDepth.get(depth);
            names.begin();
            String name;
            while ((name = parser.nextFieldName()) != null) {
                names.next(name);
                parser.nextToken();
                skip(parser, depth + 1);
            }
        }
    }
}
