package dev.headrace.flink.outcome;

import java.util.Arrays;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.table.data.RowData;
import org.apache.flink.util.MathUtils;

/**
 * The key of deduplication: one of a fixed number of shards, by the id. Not the id itself, which would need a timer
 * each; the shards are many, because a checkpoint makes the next write copy a whole shard.
 */
final class IdSelector implements KeySelector<RowData, Integer> {

    private static final long serialVersionUID = 1L;

    /** Part of the state's layout: changing it makes old state unreadable. */
    static final int SHARDS = 4096;

    private final RowLayout layout;
    private final RowData.FieldGetter id;

    IdSelector(RowLayout layout) {
        this.layout = layout;
        this.id = layout.idGetter();
    }

    @Override
    public Integer getKey(RowData row) {
        Object value = id.getFieldOrNull(row);
        // A row without an id (a malformed one) touches no state; its bytes spread a burst of them over the instances.
        int hash =
                value != null
                        ? value.toString().hashCode()
                        : row.isNullAt(layout.raw) ? 0 : Arrays.hashCode(row.getBinary(layout.raw));
        return MathUtils.murmurHash(hash) % SHARDS;
    }
}
