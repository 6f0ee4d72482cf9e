package dev.headrace.flink.outcome;

import java.util.Arrays;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.table.data.RowData;

/** The key of deduplication: the id's text; for a row without one, something that spreads and always comes out alike. */
final class IdSelector implements KeySelector<RowData, String> {

    private static final long serialVersionUID = 1L;

    private final RowLayout layout;
    private final RowData.FieldGetter id;

    IdSelector(RowLayout layout) {
        this.layout = layout;
        this.id = layout.idGetter();
    }

    @Override
    public String getKey(RowData row) {
        Object value = id.getFieldOrNull(row);
        if (value != null) {
            return value.toString();
        }
        // No state is kept for such rows; a constant would send a burst of malformed records through one instance.
        return "\0" + (row.isNullAt(layout.raw) ? 0 : Arrays.hashCode(row.getBinary(layout.raw)) & 0xff);
    }
}
