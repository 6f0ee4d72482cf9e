package dev.headrace.flink.json;

import dev.headrace.flink.format.Malformed;
import java.io.IOException;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonParser;

/** Reads one JSON value, not null, from its first token to its last, into Flink's internal form of a column type. */
interface ValueReader {

    /** {@code message}: the record's bytes, for a column that keeps the value's own text. */
    Object read(JsonParser parser, byte[] message) throws IOException, Malformed;

    /** Before a record: whether its strings may have escapes, so that also those passed over must be looked at. */
    default void expectEscapes(boolean expected) {}
}
