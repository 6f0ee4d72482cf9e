package dev.headrace.flink.outcome;

import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.api.java.typeutils.ResultTypeQueryable;
import org.apache.flink.table.data.RowData;

/** The record's Kafka key; empty without one. */
final class KeySelection implements KeySelector<RowData, byte[]>, ResultTypeQueryable<byte[]> {

    private static final long serialVersionUID = 1L;
    private static final byte[] NO_KEY = {};

    private final int key;

    KeySelection(RowLayout layout) {
        this.key = layout.key;
    }

    @Override
    public byte[] getKey(RowData row) {
        return key == RowLayout.NONE || row.isNullAt(key) ? NO_KEY : row.getBinary(key);
    }

    @Override
    public TypeInformation<byte[]> getProducedType() {
        return PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO;
    }
}
