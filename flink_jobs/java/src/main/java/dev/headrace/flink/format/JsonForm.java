package dev.headrace.flink.format;

import java.util.Base64;
import java.util.List;
import org.apache.flink.table.data.ArrayData;
import org.apache.flink.table.data.MapData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.types.logical.ArrayType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.MapType;
import org.apache.flink.table.types.logical.RowType;

/** A value of Flink's internal types as JSON text (docs/reference/contracts.md, the columns "JSON form"). */
public abstract class JsonForm {

    /** {@code value} is null or of the type's internal form. */
    abstract void write(Object value, StringBuilder out);

    public final String text(Object value) {
        StringBuilder out = new StringBuilder();
        writeOrNull(value, out);
        return out.toString();
    }

    final void writeOrNull(Object value, StringBuilder out) {
        if (value == null) {
            out.append("null");
        } else {
            write(value, out);
        }
    }

    /** @param json the paths whose text is JSON already */
    public static JsonForm of(LogicalType type, String path, FieldPaths json) {
        switch (type.getTypeRoot()) {
            case VARCHAR:
                return json.contains(path) ? plain() : quoted();
            case TIMESTAMP_WITH_LOCAL_TIME_ZONE:
                return new JsonForm() {
                    @Override
                    void write(Object value, StringBuilder out) {
                        out.append('"').append(Rfc3339.text(((TimestampData) value).getMillisecond())).append('"');
                    }
                };
            case DATE:
                return new JsonForm() {
                    @Override
                    void write(Object value, StringBuilder out) {
                        out.append('"').append(java.time.LocalDate.ofEpochDay((int) value)).append('"');
                    }
                };
            case VARBINARY:
                return new JsonForm() {
                    @Override
                    void write(Object value, StringBuilder out) {
                        out.append('"').append(Base64.getEncoder().encodeToString((byte[]) value)).append('"');
                    }
                };
            case DECIMAL:
                return quoted();
            case ARRAY:
                return array((ArrayType) type, FieldPaths.items(path), json);
            case MAP:
                return map((MapType) type, FieldPaths.items(path), json);
            case ROW:
                return row((RowType) type, path, json);
            default:
                return plain();
        }
    }

    private static JsonForm plain() {
        return new JsonForm() {
            @Override
            void write(Object value, StringBuilder out) {
                out.append(value);
            }
        };
    }

    private static JsonForm quoted() {
        return new JsonForm() {
            @Override
            void write(Object value, StringBuilder out) {
                quote(value.toString(), out);
            }
        };
    }

    private static JsonForm array(ArrayType type, String path, FieldPaths json) {
        JsonForm items = of(type.getElementType(), path, json);
        ArrayData.ElementGetter getter = ArrayData.createElementGetter(type.getElementType());
        return new JsonForm() {
            @Override
            void write(Object value, StringBuilder out) {
                ArrayData array = (ArrayData) value;
                out.append('[');
                for (int i = 0; i < array.size(); i++) {
                    out.append(i == 0 ? "" : ",");
                    items.writeOrNull(getter.getElementOrNull(array, i), out);
                }
                out.append(']');
            }
        };
    }

    private static JsonForm map(MapType type, String path, FieldPaths json) {
        JsonForm values = of(type.getValueType(), path, json);
        ArrayData.ElementGetter getter = ArrayData.createElementGetter(type.getValueType());
        return new JsonForm() {
            @Override
            void write(Object value, StringBuilder out) {
                ArrayData keys = ((MapData) value).keyArray();
                ArrayData held = ((MapData) value).valueArray();
                out.append('{');
                for (int i = 0; i < keys.size(); i++) {
                    out.append(i == 0 ? "" : ",");
                    quote(keys.getString(i).toString(), out);
                    out.append(':');
                    values.writeOrNull(getter.getElementOrNull(held, i), out);
                }
                out.append('}');
            }
        };
    }

    private static JsonForm row(RowType type, String path, FieldPaths json) {
        List<RowType.RowField> fields = type.getFields();
        JsonForm[] forms = new JsonForm[fields.size()];
        RowData.FieldGetter[] getters = new RowData.FieldGetter[forms.length];
        for (int i = 0; i < forms.length; i++) {
            LogicalType field = fields.get(i).getType();
            forms[i] = of(field, FieldPaths.field(path, fields.get(i).getName()), json);
            getters[i] = RowData.createFieldGetter(field, i);
        }
        return new JsonForm() {
            @Override
            void write(Object value, StringBuilder out) {
                out.append('{');
                for (int i = 0; i < forms.length; i++) {
                    out.append(i == 0 ? "" : ",");
                    quote(fields.get(i).getName(), out);
                    out.append(':');
                    forms[i].writeOrNull(getters[i].getFieldOrNull((RowData) value), out);
                }
                out.append('}');
            }
        };
    }

    /** A JSON string: what must be escaped is, everything else stays. */
    public static void quote(String text, StringBuilder out) {
        out.append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < ' ') {
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        out.append('"');
    }
}
