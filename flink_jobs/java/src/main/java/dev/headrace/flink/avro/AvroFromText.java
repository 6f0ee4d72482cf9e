package dev.headrace.flink.avro;

import dev.headrace.flink.format.Rfc3339;
import dev.headrace.flink.format.Unwritable;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.Base64;
import java.util.Iterator;
import java.util.Map;
import org.apache.avro.LogicalTypes;
import org.apache.avro.Schema;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.Encoder;
import org.apache.avro.io.EncoderFactory;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.table.data.DecimalData;

/** A union's value from its JSON text: the first branch that it fits, in declared order, is taken. */
final class AvroFromText {

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int MAX_DECIMAL_CHARS = 80;

    private AvroFromText() {}

    static void write(Schema union, String text, String path, Encoder out) throws IOException {
        byte[] encoded;
        try {
            encoded = encoded(union, JSON.readTree(text));
        } catch (IOException e) {
            encoded = null;
        }
        if (encoded == null) {
            throw Unwritable.at(path, "is the JSON text '" + text + "', which fits no branch of its union");
        }
        out.writeFixed(encoded);
    }

    /** The value's bytes; null when it does not fit. */
    private static byte[] encoded(Schema schema, JsonNode value) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        BinaryEncoder out = EncoderFactory.get().directBinaryEncoder(bytes, null);
        return encode(schema, value, out) ? bytes.toByteArray() : null;
    }

    /** False when it does not fit; something may then be written. */
    private static boolean encode(Schema schema, JsonNode value, Encoder out) throws IOException {
        switch (schema.getType()) {
            case NULL:
                return value.isNull();
            case UNION:
                for (int i = 0; i < schema.getTypes().size(); i++) {
                    byte[] branch = encoded(schema.getTypes().get(i), value);
                    if (branch != null) {
                        out.writeIndex(i);
                        out.writeFixed(branch);
                        return true;
                    }
                }
                return false;
            case STRING:
                return value.isTextual() && done(() -> out.writeString(value.textValue()));
            case ENUM:
                return value.isTextual()
                        && schema.hasEnumSymbol(value.textValue())
                        && done(() -> out.writeEnum(schema.getEnumOrdinal(value.textValue())));
            case BOOLEAN:
                return value.isBoolean() && done(() -> out.writeBoolean(value.booleanValue()));
            case FLOAT:
                return value.isNumber() && done(() -> out.writeFloat((float) value.doubleValue()));
            case DOUBLE:
                return value.isNumber() && done(() -> out.writeDouble(value.doubleValue()));
            case INT:
            case LONG:
                return encodeNumber(schema, value, out);
            case BYTES:
            case FIXED:
                return encodeBytes(schema, value, out);
            case RECORD:
                return encodeRecord(schema, value, out);
            default:
                return encodeItems(schema, value, out);
        }
    }

    private static boolean encodeNumber(Schema schema, JsonNode value, Encoder out) throws IOException {
        String name = Ticks.name(schema);
        long number;
        if (name.isEmpty() || !(name.equals("date") || name.contains("time"))) {
            if (!value.isNumber() || value.doubleValue() != Math.rint(value.doubleValue())) {
                return false;
            }
            try {
                number = value.decimalValue().longValueExact();
            } catch (ArithmeticException e) {
                return false;
            }
        } else if (!value.isTextual()) {
            return false;
        } else {
            char[] text = value.textValue().toCharArray();
            try {
                if (name.equals("date")) {
                    number = Rfc3339.epochDay(text, 0, text.length);
                } else if (name.startsWith("timestamp-")) {
                    number = Rfc3339.epochMillis(text, 0, text.length);
                    if (number != Rfc3339.INVALID) {
                        number = Math.multiplyExact(number, Ticks.perSecond(schema) / 1000);
                    }
                } else {
                    number = Ticks.of(schema, value.textValue());
                }
            } catch (ArithmeticException | java.time.DateTimeException e) {
                return false;
            }
            if (number == Rfc3339.INVALID) {
                return false;
            }
        }
        if (schema.getType() == Schema.Type.LONG) {
            out.writeLong(number);
            return true;
        }
        if (number != (int) number) {
            return false;
        }
        out.writeInt((int) number);
        return true;
    }

    private static boolean encodeBytes(Schema schema, JsonNode value, Encoder out) throws IOException {
        if (schema.getLogicalType() instanceof LogicalTypes.Decimal) {
            LogicalTypes.Decimal type = (LogicalTypes.Decimal) schema.getLogicalType();
            String text = value.isTextual() || value.isNumber() ? value.asText() : "";
            if (text.isEmpty() || text.length() > MAX_DECIMAL_CHARS) {
                return false;
            }
            try {
                BigDecimal decimal = new BigDecimal(text).setScale(type.getScale(), RoundingMode.UNNECESSARY);
                DecimalData data = DecimalData.fromBigDecimal(decimal, type.getPrecision(), type.getScale());
                if (data == null) {
                    return false;
                }
                AvroWriters.bytes(schema, data, "", out);
                return true;
            } catch (ArithmeticException | NumberFormatException e) {
                return false;
            }
        }
        if (!value.isTextual()) {
            return false;
        }
        try {
            byte[] bytes = Base64.getDecoder().decode(value.textValue());
            if (schema.getType() == Schema.Type.FIXED && bytes.length != schema.getFixedSize()) {
                return false;
            }
            AvroWriters.bytes(schema, bytes, "", out);
            return true;
        } catch (IllegalArgumentException e) {
            return false;
        }
    }

    private static boolean encodeRecord(Schema schema, JsonNode value, Encoder out) throws IOException {
        if (!value.isObject()) {
            return false;
        }
        for (Schema.Field field : schema.getFields()) {
            JsonNode held = value.has(field.name()) ? value.get(field.name()) : JSON.nullNode();
            if (!encode(field.schema(), held, out)) {
                return false;
            }
        }
        return true;
    }

    private static boolean encodeItems(Schema schema, JsonNode value, Encoder out) throws IOException {
        boolean map = schema.getType() == Schema.Type.MAP;
        if (map ? !value.isObject() : !value.isArray()) {
            return false;
        }
        if (map) {
            out.writeMapStart();
        } else {
            out.writeArrayStart();
        }
        out.setItemCount(value.size());
        for (Iterator<Map.Entry<String, JsonNode>> names = value.fields(); map && names.hasNext(); ) {
            Map.Entry<String, JsonNode> entry = names.next();
            out.startItem();
            out.writeString(entry.getKey());
            if (!encode(schema.getValueType(), entry.getValue(), out)) {
                return false;
            }
        }
        for (int i = 0; !map && i < value.size(); i++) {
            out.startItem();
            if (!encode(schema.getElementType(), value.get(i), out)) {
                return false;
            }
        }
        if (map) {
            out.writeMapEnd();
        } else {
            out.writeArrayEnd();
        }
        return true;
    }

    @FunctionalInterface
    private interface Step {
        void run() throws IOException;
    }

    private static boolean done(Step step) throws IOException {
        step.run();
        return true;
    }
}
