package dev.headrace.flink.json;

import dev.headrace.flink.format.FieldPaths;
import dev.headrace.flink.format.Malformed;
import dev.headrace.flink.format.Rfc3339;
import dev.headrace.flink.format.Utf8;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonParser;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonToken;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.data.GenericArrayData;
import org.apache.flink.table.data.GenericMapData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.types.logical.ArrayType;
import org.apache.flink.table.types.logical.DecimalType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.MapType;
import org.apache.flink.table.types.logical.RowType;

/** The reader of each column type (docs/reference/contracts.md, "Row semantics"). */
final class ValueReaders {

    private static final int MAX_DECIMAL_CHARS = 80;
    private static final Pattern DECIMAL = Pattern.compile("-?[0-9]+(\\.[0-9]+)?");

    private ValueReaders() {}

    static ValueReader of(
            LogicalType type, String path, FieldPaths required, FieldPaths json, FieldPaths epochMillis) {
        switch (type.getTypeRoot()) {
            case VARCHAR:
                return json.contains(path) ? new JsonTextReader() : ValueReaders::string;
            case BIGINT:
                return ValueReaders::wholeNumber;
            case DOUBLE:
                return ValueReaders::number;
            case BOOLEAN:
                return ValueReaders::truth;
            case DATE:
                return ValueReaders::date;
            case TIMESTAMP_WITH_LOCAL_TIME_ZONE:
                return epochMillis.contains(path) ? ValueReaders::millis : ValueReaders::time;
            case DECIMAL:
                DecimalType decimal = (DecimalType) type;
                return (parser, message) -> decimal(parser, decimal);
            case VARBINARY:
                return ValueReaders::bytes;
            case ARRAY:
                return new ArrayReader(of(((ArrayType) type).getElementType(), FieldPaths.items(path), required, json, epochMillis));
            case MAP:
                return new MapReader(of(((MapType) type).getValueType(), FieldPaths.items(path), required, json, epochMillis));
            case ROW:
                return new ObjectReader((RowType) type, path, required, json, epochMillis);
            default:
                throw new ValidationException("headrace-json has no column type " + type.asSummaryString());
        }
    }

    static Malformed unexpected(JsonParser parser, String expected) throws IOException {
        return new Malformed(": is " + Tokens.describe(parser) + ", not " + expected);
    }

    private static Object string(JsonParser parser, byte[] message) throws IOException, Malformed {
        if (parser.currentToken() != JsonToken.VALUE_STRING) {
            throw unexpected(parser, "a string");
        }
        char[] chars = parser.getTextCharacters();
        int start = parser.getTextOffset();
        int length = parser.getTextLength();
        byte[] ascii = new byte[length];
        for (int i = 0; i < length; i++) {
            char c = chars[start + i];
            if (c >= 0x80) {
                return wide(parser);
            }
            ascii[i] = (byte) c;
        }
        return StringData.fromBytes(ascii);
    }

    private static StringData wide(JsonParser parser) throws IOException, Malformed {
        String text = parser.getText();
        if (!Utf8.isPaired(text)) {
            // Only an escape can spell it; it has no UTF-8 form and would turn into a question mark.
            throw new Malformed(": has half a surrogate pair, which is no character");
        }
        return StringData.fromBytes(text.getBytes(StandardCharsets.UTF_8));
    }

    private static Object wholeNumber(JsonParser parser, byte[] message) throws IOException, Malformed {
        return whole(parser, "a whole number within 64 bits");
    }

    private static long whole(JsonParser parser, String expected) throws IOException, Malformed {
        JsonToken token = parser.currentToken();
        if (token == JsonToken.VALUE_NUMBER_INT) {
            JsonParser.NumberType type = parser.getNumberType();
            if (type != JsonParser.NumberType.BIG_INTEGER) {
                return parser.getLongValue();
            }
        } else if (token == JsonToken.VALUE_NUMBER_FLOAT) {
            // 1.0 and 1e3 are integers in JSON Schema, so the gateway lets them through.
            BigDecimal exact = parser.getDecimalValue();
            // Its scale bounds the work: 1e999999999 must not be written out.
            if (exact.precision() - (long) exact.scale() <= 19) {
                try {
                    return exact.longValueExact();
                } catch (ArithmeticException e) {
                    throw unexpected(parser, expected);
                }
            }
        }
        throw unexpected(parser, expected);
    }

    private static Object number(JsonParser parser, byte[] message) throws IOException, Malformed {
        if (!parser.currentToken().isNumeric()) {
            throw unexpected(parser, "a number");
        }
        double value = parser.getDoubleValue();
        if (Double.isInfinite(value)) {
            throw unexpected(parser, "a number within the range of a double");
        }
        return value;
    }

    private static Object truth(JsonParser parser, byte[] message) throws IOException, Malformed {
        if (!parser.currentToken().isBoolean()) {
            throw unexpected(parser, "true or false");
        }
        return parser.getBooleanValue();
    }

    private static Object date(JsonParser parser, byte[] message) throws IOException, Malformed {
        if (parser.currentToken() == JsonToken.VALUE_STRING) {
            long day = Rfc3339.epochDay(parser.getTextCharacters(), parser.getTextOffset(), parser.getTextLength());
            if (day != Rfc3339.INVALID) {
                return (int) day;
            }
        }
        throw unexpected(parser, "a date like 2026-11-22");
    }

    private static Object time(JsonParser parser, byte[] message) throws IOException, Malformed {
        if (parser.currentToken() == JsonToken.VALUE_STRING) {
            long millis =
                    Rfc3339.epochMillis(parser.getTextCharacters(), parser.getTextOffset(), parser.getTextLength());
            if (millis != Rfc3339.INVALID) {
                return TimestampData.fromEpochMillis(millis);
            }
        }
        throw unexpected(parser, "an RFC 3339 time with an offset, like 2026-11-22T19:01:00Z");
    }

    private static Object millis(JsonParser parser, byte[] message) throws IOException, Malformed {
        long millis = whole(parser, "a time in epoch milliseconds");
        if (!Rfc3339.isInRange(millis)) {
            throw unexpected(parser, "a time in epoch milliseconds, of the years 1 to 9999");
        }
        return TimestampData.fromEpochMillis(millis);
    }

    private static Object decimal(JsonParser parser, DecimalType type) throws IOException, Malformed {
        JsonToken token = parser.currentToken();
        String text = token == JsonToken.VALUE_STRING || token.isNumeric() ? parser.getText() : "";
        // Its length bounds the work, its form keeps exponents out: 1e999999999 must not be written out.
        if (text.length() <= MAX_DECIMAL_CHARS && DECIMAL.matcher(text).matches()) {
            try {
                BigDecimal value = new BigDecimal(text).setScale(type.getScale(), RoundingMode.UNNECESSARY);
                DecimalData data = DecimalData.fromBigDecimal(value, type.getPrecision(), type.getScale());
                if (data != null) {
                    return data;
                }
            } catch (ArithmeticException e) {
                throw unexpected(parser, "a " + type.asSummaryString());
            }
        }
        throw unexpected(parser, "a " + type.asSummaryString());
    }

    private static Object bytes(JsonParser parser, byte[] message) throws IOException, Malformed {
        if (parser.currentToken() == JsonToken.VALUE_STRING) {
            try {
                return Base64.getDecoder().decode(parser.getText());
            } catch (IllegalArgumentException e) {
                throw unexpected(parser, "bytes in base64");
            }
        }
        throw unexpected(parser, "bytes in base64");
    }

    /** An array whose items all fit. */
    private static final class ArrayReader implements ValueReader {
        private final ValueReader items;

        ArrayReader(ValueReader items) {
            this.items = items;
        }

        @Override
        public void expectEscapes(boolean expected) {
            items.expectEscapes(expected);
        }

        @Override
        public Object read(JsonParser parser, byte[] message) throws IOException, Malformed {
            if (parser.currentToken() != JsonToken.START_ARRAY) {
                throw unexpected(parser, "an array");
            }
            List<Object> values = new ArrayList<>();
            while (parser.nextToken() != JsonToken.END_ARRAY) {
                try {
                    values.add(item(parser, message, items));
                } catch (Malformed malformed) {
                    throw malformed.inside("[" + values.size() + "]");
                }
            }
            return new GenericArrayData(values.toArray());
        }
    }

    /** An object of any names whose values all fit. */
    private static final class MapReader implements ValueReader {
        private final ValueReader values;

        MapReader(ValueReader values) {
            this.values = values;
        }

        @Override
        public void expectEscapes(boolean expected) {
            values.expectEscapes(expected);
        }

        @Override
        public Object read(JsonParser parser, byte[] message) throws IOException, Malformed {
            if (parser.currentToken() != JsonToken.START_OBJECT) {
                throw unexpected(parser, "an object");
            }
            Map<StringData, Object> map = new HashMap<>();
            String name;
            while ((name = parser.nextFieldName()) != null) {
                StringData key = StringData.fromString(name);
                if (map.containsKey(key)) {
                    throw new Malformed(name + ": is there twice");
                }
                parser.nextToken();
                try {
                    map.put(key, item(parser, message, values));
                } catch (Malformed malformed) {
                    throw malformed.inside(name);
                }
            }
            return new GenericMapData(map);
        }
    }

    private static Object item(JsonParser parser, byte[] message, ValueReader reader) throws IOException, Malformed {
        if (parser.currentToken() != JsonToken.VALUE_NULL) {
            return reader.read(parser, message);
        }
        if (reader instanceof JsonTextReader) {
            return null;
        }
        throw new Malformed(": is null");
    }

    /** Any value, as its own text. */
    private static final class JsonTextReader implements ValueReader {
        private final Skipper skipper = new Skipper();

        @Override
        public void expectEscapes(boolean expected) {
            skipper.expectEscapes(expected);
        }

        @Override
        public Object read(JsonParser parser, byte[] message) throws IOException, Malformed {
            int start = (int) parser.currentTokenLocation().getByteOffset();
            boolean number = parser.currentToken().isNumeric();
            if (number) {
                // The parser has looked one byte beyond a number.
                return StringData.fromString(parser.getText());
            }
            if (parser.currentToken() == JsonToken.VALUE_STRING) {
                // Read to its end, else the parser still stands at its start.
                parser.getTextLength();
            }
            skipper.skip(parser);
            int end = (int) parser.currentLocation().getByteOffset();
            return StringData.fromBytes(Arrays.copyOfRange(message, start, end));
        }
    }
}
