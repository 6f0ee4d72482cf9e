package dev.headrace.flink.json;

import java.io.IOException;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonParser;

/** What stands in the record, in the words of an error line. */
final class Tokens {

    private static final int MAX_CHARS = 60;

    private Tokens() {}

    static String describe(JsonParser parser) throws IOException {
        switch (parser.currentToken()) {
            case START_OBJECT:
                return "an object";
            case START_ARRAY:
                return "an array";
            case VALUE_STRING:
                return "the text \"" + shortened(parser.getText()) + "\"";
            case VALUE_NUMBER_INT:
            case VALUE_NUMBER_FLOAT:
                return "the number " + shortened(parser.getText());
            case VALUE_TRUE:
            case VALUE_FALSE:
                return "the boolean " + parser.getText();
            default:
                return "null";
        }
    }

    private static String shortened(String text) {
        return text.length() <= MAX_CHARS ? text : text.substring(0, MAX_CHARS) + "…";
    }
}
